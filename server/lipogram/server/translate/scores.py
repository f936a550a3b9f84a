"""Log-probabilities in OpenAI's two shapes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lipogram.decoding.events import ScoredToken, Usage
from lipogram.server.sse import Characters
from lipogram.server.wire import common, replies
from lipogram.server.wire.completions import CompletionLogprobs

_LOWEST = -9999.0


class CompletionScores:
    """The older shape; remembers how many characters precede the next token."""

    def __init__(self) -> None:
        self._characters = Characters()
        self._offset = 0

    def shape(self, tokens: Sequence[ScoredToken]) -> CompletionLogprobs:
        """The lists for these tokens, which follow those of earlier calls."""
        offsets = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(self._characters.feed(token.text))
        return CompletionLogprobs(
            tokens=[_older_name(token.text) for token in tokens],
            token_logprobs=[_finite(token.logprob) for token in tokens],
            top_logprobs=[_older_top(token) for token in tokens],
            text_offset=offsets,
        )


def chat_scores(tokens: Sequence[ScoredToken]) -> list[replies.TokenScore]:
    """The newer shape."""
    return [
        replies.TokenScore(
            token=_name(token.text),
            logprob=_finite(token.logprob) or 0.0,
            bytes=list(token.text),
            top_logprobs=[
                replies.Score(token=_name(best.text), logprob=best.logprob, bytes=list(best.text))
                for best in token.top
                if best.logprob is not None and math.isfinite(best.logprob)
            ],
        )
        for token in tokens
    ]


def usage(parts: Sequence[Usage], n: int) -> common.Usage:
    """What a request used; a prompt counts once, however many continuations it got."""
    prompt = sum(part.prompt_tokens for part in parts[::n])
    completion = sum(part.completion_tokens for part in parts)
    whole = common.Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=common.CachedTokens(
            cached_tokens=sum(part.cached_tokens for part in parts[::n])
        ),
        completion_tokens_details=_details(parts),
    )
    calls = Counter[str]()
    for part in parts:
        calls.update(dict(part.member_calls))
    if not calls:
        return whole
    members = [common.MemberUsage(model=name, calls=count) for name, count in calls.items()]
    return whole.model_copy(update={"members": members})


def _details(parts: Sequence[Usage]) -> common.DraftedTokens | common.FilledTokens:
    if any(part.denoising_steps or part.witness_tokens for part in parts):
        return common.FilledTokens(
            denoising_steps=sum(part.denoising_steps for part in parts),
            witness_tokens=sum(part.witness_tokens for part in parts),
        )
    drafted = sum(part.drafted_tokens for part in parts)
    accepted = sum(part.accepted_tokens for part in parts)
    return common.DraftedTokens(
        accepted_prediction_tokens=accepted,
        rejected_prediction_tokens=drafted - accepted,
        forced_tokens=sum(part.forced_tokens for part in parts),
        model_passes=sum(part.model_passes for part in parts),
    )


def _older_top(token: ScoredToken) -> dict[str, float] | None:
    if token.logprob is None:
        return None
    top = {_older_name(best.text): best.logprob for best in (*token.top, token)}
    return {name: score for name, score in top.items() if score is not None and score > -math.inf}


def _older_name(text: bytes) -> str:
    """The text, or `bytes:\\x…` where it is no UTF-8, as OpenAI does."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in text)


def _name(text: bytes) -> str:
    return text.decode(errors="backslashreplace")


def _finite(logprob: float | None) -> float | None:
    return logprob if logprob is None else max(logprob, _LOWEST)
