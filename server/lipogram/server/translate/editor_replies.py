"""From events to the answers that editors expect of llama.cpp, Ollama and Tabby."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lipogram.decoding.events import Chunk, Event, Finish, ScoredToken
from lipogram.server.sse import Characters
from lipogram.server.translate.infilling import Fitted
from lipogram.server.translate.lines import LineLimit
from lipogram.server.translate.plan import Plan
from lipogram.server.translate.unconstrained import Dropped, unconstrained
from lipogram.server.wire.llama_cpp import (
    LlamaCppChunk,
    LlamaCppOptions,
    LlamaCppReply,
    Probability,
    Timings,
)
from lipogram.server.wire.ollama import GenerateReply
from lipogram.server.wire.tabby import TabbyChoice, TabbyReply


class Clock:
    """When a request came, when its first text did, and now; seconds."""

    def __init__(self) -> None:
        self._begun_s = time.perf_counter()
        self._first_s: float | None = None

    def tick(self) -> None:
        """Text has come."""
        if self._first_s is None:
            self._first_s = time.perf_counter()

    @property
    def prompt_s(self) -> float:
        """The time until the first text, or until now."""
        return (self._first_s or time.perf_counter()) - self._begun_s

    @property
    def predicted_s(self) -> float:
        """The time since the first text."""
        return 0.0 if self._first_s is None else time.perf_counter() - self._first_s


class _LlamaCppChoice:
    """One of llama.cpp's completions under way."""

    def __init__(self, writer: LlamaCppWriter, index: int) -> None:
        self._writer = writer
        self._index = index
        self._lines = LineLimit(writer.request.n_indent or 0)
        self._characters = Characters()
        self._has_new_line = False
        self.count = 0
        self.finish: Finish | None = None
        self.is_over = False

    def pieces(self, event: Event) -> list[LlamaCppChunk]:
        """What an event adds; nothing once the completion has ended."""
        if self.is_over:
            return []
        if isinstance(event, Finish):
            self.finish = event
            return [self._last(self._characters.feed(self._lines.end()) + self._characters.end())]
        self.count += max(len(event.tokens), 1)
        data = self._lines.feed(event.text)
        self._has_new_line = self._has_new_line or b"\n" in data
        piece = self._piece(self._characters.feed(data), event.tokens)
        is_late = self._has_new_line and self._writer.is_late
        if self._lines.is_over or is_late:
            return [piece, self._last(self._characters.end())]
        return [piece]

    def _piece(self, text: str, tokens: Sequence[ScoredToken]) -> LlamaCppChunk:
        request = self._writer.request
        piece = LlamaCppChunk(
            index=self._index,
            content=text,
            tokens=[token.id for token in tokens] if request.return_tokens else [],
            stop=False,
            id_slot=0,
            tokens_predicted=self.count,
            tokens_evaluated=self._writer.fitted.tokens,
        )
        if not request.n_probs:
            return piece
        scores = [_probability(token) for token in tokens]
        return piece.model_copy(update={"completion_probabilities": scores})

    def _last(self, text: str) -> LlamaCppChunk:
        self.is_over = True
        writer, finish = self._writer, self.finish
        if finish is not None:
            self.count = finish.usage.completion_tokens
        stops = writer.plan.job.stop
        word = finish.stop if finish is not None and finish.stop in stops else None
        reason = "word" if word else "eos" if finish and finish.reason == "stop" else "limit"
        last: dict[str, Any] = {
            "stop": True,
            "model": writer.plan.served.name,
            "generation_settings": writer.settings(),
            "has_new_line": self._has_new_line,
            "truncated": writer.fitted.is_cut,
            "stop_type": reason,
            "stopping_word": word.decode() if word else "",
            "tokens_cached": writer.fitted.tokens + self.count,
            "timings": writer.timings(self.count, finish),
        }
        if self._index in writer.dropped:
            last["unconstrained"] = unconstrained(writer.dropped[self._index])
        return self._piece(text, ()).model_copy(update=last)


class LlamaCppWriter:
    """Turns events into llama.cpp's chunks; ends a completion where the request says so."""

    def __init__(self, request: LlamaCppOptions, plan: Plan, fitted: Fitted) -> None:
        self.request = request
        self.plan = plan
        self.fitted = fitted
        self.dropped: Dropped = {}
        self._clock = Clock()
        self._choices = [_LlamaCppChoice(self, index) for index in range(plan.n)]

    def begin(self) -> list[LlamaCppChunk]:
        """Nothing."""
        return []

    def chunks(self, index: int, event: Event) -> list[LlamaCppChunk]:
        """The chunks for an event."""
        if isinstance(event, Chunk):
            self._clock.tick()
        pieces = self._choices[index].pieces(event)
        if not self.request.response_fields:
            return pieces
        return [piece for piece in pieces if piece.content or piece.stop]

    def usage(self) -> None:
        """None: the last chunk has it."""

    def whole(self, chunks: Sequence[LlamaCppChunk]) -> LlamaCppReply:
        """All chunks as one answer, or as many as there are completions."""
        wholes = [
            _joined([chunk for chunk in chunks if chunk.index == index])
            for index in range(len(self._choices))
        ]
        fields = self.request.response_fields
        if fields is None:
            return LlamaCppReply(wholes[0] if len(wholes) == 1 else wholes)
        picked = [_picked(whole.model_dump(exclude_unset=True), fields) for whole in wholes]
        return LlamaCppReply(picked[0] if len(picked) == 1 else picked)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is wanted."""
        return all(choice.is_over for choice in self._choices)

    @property
    def is_late(self) -> bool:
        """Whether the time for generating is spent."""
        most = self.request.t_max_predict_ms
        return most is not None and most > 0 and 1000 * self._clock.predicted_s > most

    @property
    def finishes(self) -> list[Finish]:
        """How the sequences that have ended did."""
        return [choice.finish for choice in self._choices if choice.finish is not None]

    def settings(self) -> dict[str, float | int | str | bool | None]:
        """How tokens were drawn."""
        job = self.plan.job
        names = ("temperature", "top_k", "top_p", "min_p", "presence_penalty", "frequency_penalty")
        return {
            "n_predict": job.max_tokens,
            "seed": job.sampling.seed,
            **{name: getattr(job.sampling, name) for name in names},
            "repeat_penalty": job.sampling.repetition_penalty,
            "stream": bool(self.request.stream),
        }

    def timings(self, predicted: int, finish: Finish | None) -> Timings:
        """How long it took."""
        cached = finish.usage.cached_tokens if finish is not None else 0
        prompt_n = self.fitted.tokens - cached
        prompt_ms, predicted_ms = 1000 * self._clock.prompt_s, 1000 * self._clock.predicted_s
        return Timings(
            cache_n=cached,
            prompt_n=prompt_n,
            prompt_ms=prompt_ms,
            prompt_per_token_ms=prompt_ms / max(prompt_n, 1),
            prompt_per_second=1000 * prompt_n / max(prompt_ms, 1e-6),
            predicted_n=predicted,
            predicted_ms=predicted_ms,
            predicted_per_token_ms=predicted_ms / max(predicted, 1),
            predicted_per_second=1000 * predicted / predicted_ms if predicted_ms else 0.0,
        )


def _joined(pieces: Sequence[LlamaCppChunk]) -> LlamaCppChunk:
    joined: dict[str, Any] = {
        "content": "".join(piece.content for piece in pieces),
        "tokens": [token for piece in pieces for token in piece.tokens],
    }
    scores = [score for piece in pieces for score in piece.completion_probabilities or []]
    if any(piece.completion_probabilities is not None for piece in pieces):
        joined["completion_probabilities"] = scores
    return pieces[-1].model_copy(update=joined)


def _picked(whole: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The fields at these paths, each under its path; those that are not there are left out."""
    picked: dict[str, Any] = {}
    for path in fields:
        value: Any = whole
        for step in path.split("/"):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            picked[path] = value
    return picked


def _probability(token: ScoredToken) -> Probability:
    own = Probability(
        id=token.id,
        token=token.text.decode(errors="replace"),
        bytes=list(token.text),
        logprob=max(token.logprob or 0.0, -9999.0),
    )
    return own.model_copy(update={"top_logprobs": [_probability(best) for best in token.top]})


class GenerateWriter:
    """Turns events into Ollama's lines."""

    is_over = False

    def __init__(self, model: str) -> None:
        self._model = model
        self._clock = Clock()
        self._characters = Characters()
        self.dropped: Dropped = {}
        self.finishes: list[Finish] = []

    def begin(self) -> list[GenerateReply]:
        """Nothing."""
        return []

    def chunks(self, index: int, event: Event) -> list[GenerateReply]:
        """The line for an event."""
        if isinstance(event, Chunk):
            self._clock.tick()
            text = self._characters.feed(event.text)
            return [self._line(text, done=False)] if text else []
        self.finishes.append(event)
        prompt_ns = round(1e9 * self._clock.prompt_s)
        predicted_ns = round(1e9 * self._clock.predicted_s)
        last: dict[str, Any] = {
            "done_reason": event.reason,
            "total_duration": prompt_ns + predicted_ns,
            "load_duration": 0,
            "prompt_eval_count": event.usage.prompt_tokens,
            "prompt_eval_duration": prompt_ns,
            "eval_count": event.usage.completion_tokens,
            "eval_duration": predicted_ns,
        }
        if index in self.dropped:
            last["unconstrained"] = unconstrained(self.dropped[index])
        return [self._line(self._characters.end(), done=True).model_copy(update=last)]

    def usage(self) -> None:
        """None: the last line has it."""

    def whole(self, chunks: Sequence[GenerateReply]) -> GenerateReply:
        """All lines as one."""
        text = "".join(chunk.response for chunk in chunks)
        return chunks[-1].model_copy(update={"response": text})

    def _line(self, text: str, *, done: bool) -> GenerateReply:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return GenerateReply(model=self._model, created_at=now, response=text, done=done)


class TabbyWriter:
    """Turns events into Tabby's answer."""

    is_over = False

    def __init__(self) -> None:
        self._characters = Characters()
        self.dropped: Dropped = {}
        self.finishes: list[Finish] = []

    def begin(self) -> list[TabbyChoice]:
        """Nothing."""
        return []

    def chunks(self, index: int, event: Event) -> list[TabbyChoice]:
        """The text of an event."""
        if isinstance(event, Chunk):
            return [TabbyChoice(index=index, text=self._characters.feed(event.text))]
        self.finishes.append(event)
        return [TabbyChoice(index=index, text=self._characters.end())]

    def usage(self) -> None:
        """None: an answer is never streamed."""

    def whole(self, chunks: Sequence[TabbyChoice]) -> TabbyReply:
        """All text as one answer."""
        text = "".join(chunk.text for chunk in chunks)
        choices = [TabbyChoice(index=0, text=text)]
        return TabbyReply(id=f"cmpl-{uuid.uuid4().hex}", choices=choices)
