"""Another model, smaller than the one that it drafts for, of the same vocabulary or its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Final

import numpy as np

from lipogram.decoding import sampling
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.bytes.states import ByteState
from lipogram.decoding.drafting.base import Guess, Guesses, Place
from lipogram.decoding.errors import DecodingError, Unspellable
from lipogram.decoding.masking import Masker
from lipogram.decoding.models.base import CausalModel, Logits, Query
from lipogram.decoding.sampling import Allowed, Scores
from lipogram.decoding.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lipogram.decoding.job import Job, Sampling


_EPSILON: Final = 1e-4  # of a law of bytes that guesses are drawn from


class SmallModel:
    """Drafts with `model` what a model of `vocabulary` shall check.

    With one vocabulary it draws each token as the model will, by the same number, from its own law
    under the same rule. With two it writes its likeliest text, which is tokenized anew: a text is
    the same to both, its tokens are not. Where bytes are written it draws each byte from its own
    law of bytes by that number, whatever its vocabulary.
    """

    def __init__(self, model: CausalModel, vocabulary: Vocabulary, tokens: int = 4) -> None:
        """`tokens` of its own are written at a time where the vocabularies differ."""
        self.name = f"model {model.name}"
        self.model = model
        self._vocabulary = vocabulary
        self._tokens = tokens

    def open(self, job: Job, prompt: Sequence[int]) -> Guesses:
        """See Drafter.open."""
        own = self.model.vocabulary
        if job.byte_mode == "full":
            return ByteLaws(self.model, self._vocabulary, job, len(prompt))
        if own.tokens == self._vocabulary.tokens and own.eos_ids == self._vocabulary.eos_ids:
            return _Same(self.model, job.sampling)
        masker = None if job.masker is None else Masker(job.masker.automaton, own)
        return _Other(self.model, self._vocabulary, masker, self._tokens, prompt)


class _Same:
    """Token by token, with the sampling of the job but its penalties."""

    def __init__(self, model: CausalModel, law: Sampling) -> None:
        self._model = model
        self._law = law

    async def propose(self, place: Place, most: int) -> list[Guess]:
        """See Guesses.propose."""
        tokens = (*place.tokens, *place.draft)
        row = await _row(self._model, tokens)
        return [] if row is None else [drawn(row, place, self._law)]


def drawn(row: Logits | Scores, place: Place, law: Sampling) -> Guess:
    """The token that the place's number draws from a row of scores, under the rule."""
    scores = sampling.adjusted(row, law, None)
    allowed = place.course.allowed
    token = sampling.candidates(scores, allowed, law).draw(place.chance)
    weights = np.exp(scores[allowed] - scores[allowed].max())
    share = np.exp(scores[token] - scores[allowed].max()) / weights.sum()
    return Guess(token, float(share))


class ByteLaws:
    """Byte by byte, with the sampling of the job."""

    def __init__(
        self, model: CausalModel, vocabulary: Vocabulary, job: Job, prompt_bytes: int
    ) -> None:
        """`vocabulary` is that of the job's prompt, which has so many bytes."""
        self._law = job.sampling
        told = _told(job.prompt, vocabulary, model.vocabulary)
        self._by_bytes = ByteModel(model, epsilon=_EPSILON)
        self._prompt = [*told, job.text]
        self._read = prompt_bytes  # bytes before the first of these states
        self._states: list[ByteState] = []
        self._text = b""  # between the first of them and the last

    async def propose(self, place: Place, most: int) -> list[Guess]:
        """See Guesses.propose."""
        try:
            row = await self.row(place.tokens, place.draft)
            return [] if row is None else [drawn(row, place, self._law)]
        except DecodingError:
            return []

    async def row(self, text: Sequence[int], draft: Sequence[int]) -> Scores | None:
        """Log-probabilities float64[257] of what follows; None where there is no room for it.

        Raises DecodingError where the model fails, or has no tokens for the text.
        """
        state = self._state(text, draft)
        if state.most_tokens > self._by_bytes.model.context_tokens:
            return None
        return await state.logprobs()

    def _state(self, before: Sequence[int], draft: Sequence[int]) -> ByteState:
        """The state behind a draft, from the last one on the way to it."""
        if not self._states:
            self._states.append(self._by_bytes.open(self._prompt))
        text = bytes([*before[self._read :], *draft])
        pairs = zip(text, self._text, strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        del self._states[shared + 1 :]
        self._text = text[:shared]
        for byte in text[shared:]:
            self._states.append(self._states[-1].advance(byte))
            self._text += bytes([byte])
        written = len(before) - self._read
        del self._states[:written]
        self._read, self._text = len(before), text[written:]
        return self._states[-1]


class _Other:
    """A few tokens of the model's own at a time, told in those of the other."""

    def __init__(
        self,
        model: CausalModel,
        vocabulary: Vocabulary,
        masker: Masker | None,
        tokens: int,
        prompt: Sequence[int],
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._masker = masker
        self._most = tokens
        self._prompt = tuple(prompt)
        self._before: tuple[int, ...] | None = None

    async def propose(self, place: Place, most: int) -> list[Guess]:
        """See Guesses.propose."""
        written = (*place.tokens[len(self._prompt) :], *place.draft)
        state = place.course.state
        try:
            if self._before is None:
                self._before = self._told(self._prompt)
            tokens = self._before + self._told(written)
            text, confidence = b"", 1.0
            for _ in range(self._most):
                row = await _row(self._model, tokens)
                allowed = self._allowed(state)
                if row is None or not allowed.any():
                    break
                token = int(np.where(allowed, row, -np.inf).argmax())
                confidence *= _share(row[allowed], row[token])
                tokens += (token,)
                text += self._model.vocabulary.tokens[token]
                if self._masker is not None:
                    assert state is not None  # there is a rule
                    state = self._masker.walk(state, token)
            return self._guesses(text, confidence)[:most]
        except Unspellable:
            return []

    def _allowed(self, state: int | None) -> Allowed:
        """The tokens with text that the rule allows."""
        own = self._model.vocabulary
        if self._masker is None or state is None:
            return own.has_text
        return sampling.unpack(self._masker.mask(state), len(own)) & own.has_text

    def _told(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Tokens of the other vocabulary in the model's own."""
        own, told = self._model.vocabulary, list[int]()
        for part in _told(tokens, self._vocabulary, own):
            told += own.encode(part) if isinstance(part, bytes) else [part]
        return tuple(told)

    def _guesses(self, text: bytes, confidence: float) -> list[Guess]:
        """The text's tokens but the last, which what comes next might lengthen."""
        tokens = self._vocabulary.encode(text) if text else []
        kept = tokens[:-1] or tokens
        each = confidence ** (1 / max(len(kept), 1))
        return [Guess(token, each) for token in kept]


def _told(tokens: Sequence[int], vocabulary: Vocabulary, own: Vocabulary) -> list[int | bytes]:
    """Tokens of a vocabulary as text, and special ones as those of `own` with their names."""
    names = {id: name for name, id in vocabulary.specials.items()}
    told: list[int | bytes] = []
    for has_text, run in groupby(tokens, key=vocabulary.has_text.__getitem__):
        if has_text:
            told.append(vocabulary.decode(run))
            continue
        found = (own.specials.get(names.get(token, "")) for token in run)
        told += [token for token in found if token is not None]
    return told


def _share(scores: Logits, best: float) -> float:
    return float(1 / np.exp(scores.astype(np.float64) - best).sum())


async def _row(model: CausalModel, tokens: tuple[int, ...]) -> Logits | None:
    """The scores after the tokens; None where they do not fit, or the model fails."""
    if len(tokens) > model.context_tokens:
        return None
    try:
        [rows] = await model.logits([Query(tokens)])
    except DecodingError:
        return None
    last: Logits = rows[0]
    return last
