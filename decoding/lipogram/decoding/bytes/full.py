"""Generation byte by byte: every byte is drawn from the law of bytes.

With `projection` "token" a rule forbids tokens before their bytes are summed: the law of texts is
that of constrained decoding by tokens, whatever the prompt's end. With "byte" it forbids bytes, and
the rest is renormalised, which is another law: a byte is as likely as the model finds it, however
few of the texts behind it the rule allows. Temperature and truncation shape the law of bytes.

The budget counts tokens: the fewest in which the model has written the output so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding import sampling
from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.bytes.states import ByteState
from lipogram.decoding.closing import closing, fits
from lipogram.decoding.errors import BudgetTooSmall, DeadEnd, UnsupportedJob
from lipogram.decoding.events import Chunk, Event, Finish, FinishReason, ScoredToken, Usage
from lipogram.decoding.job import Job, Sampling
from lipogram.decoding.masking import Masker
from lipogram.decoding.models.base import CausalModel, cached_tokens
from lipogram.decoding.opening import budget, scored_prompt
from lipogram.decoding.output import Output
from lipogram.grammars import State

_TEXTS = (*(bytes([byte]) for byte in range(256)), b"")
_FREE = np.ones(257, np.bool_)


async def generate(
    model: CausalModel, job: Job, rng: np.random.Generator
) -> AsyncGenerator[Event, None]:
    """Chunks of bytes, then one Finish; see `Autoregressive.generate`.

    Raises what that does, and UnsupportedJob for what is said of tokens: biases, penalties, and
    rules with special tokens.
    """
    _check(job)
    run = _Run(model, job, rng)
    prompt: tuple[ScoredToken, ...] = ()
    if job.echo_logprobs:
        prompt, run.prompt_calls = await scored_prompt(model, run.prompt, job.top_logprobs or 0)
    while run.reason is None:
        chunk = await run.step()
        if chunk is not None:
            yield chunk
        await asyncio.sleep(0)
    rest = run.rest()
    if rest is not None:
        yield rest
    yield run.finish(prompt)


def _check(job: Job) -> None:
    defaults = Sampling()
    for name in ("logit_bias", "presence_penalty", "frequency_penalty", "repetition_penalty"):
        if getattr(job.sampling, name) != getattr(defaults, name):
            raise UnsupportedJob(f"{name} is about tokens: byte_mode full has bytes alone")
    if job.masker is not None and job.masker.has_specials:
        raise UnsupportedJob("byte_mode full cannot write the special tokens of this grammar")


class _TokenRule:
    """A masker as what restricts token rows; remembers where recent texts lead."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._states: dict[bytes, State | None] = {b"": masker.start()}

    def allowed(self, text: bytes) -> NDArray[np.bool_]:
        """See Rule.allowed."""
        state = self._walked(text)
        if state is None:
            return np.zeros(len(self._masker.vocabulary), np.bool_)
        return sampling.unpack(self._masker.mask(state), len(self._masker.vocabulary))

    def is_live(self, text: bytes) -> bool:
        """See Rule.is_live."""
        return self._walked(text) is not None

    def _walked(self, text: bytes) -> State | None:
        known = len(text)
        while text[:known] not in self._states:
            known -= 1
        state = self._states[text[:known]]
        if state is not None:
            state = self._masker.automaton.walk(state, text[known:])
        if len(self._states) > 4096:
            self._states = {b"": self._masker.start()}
        self._states[text] = state
        return state


class _Run:
    """One generation on its way."""

    def __init__(self, model: CausalModel, job: Job, rng: np.random.Generator) -> None:
        ids = tuple(model.vocabulary.encode(job.text))
        self.prompt = job.prompt + ids
        self.prompt_calls = 0
        self._cached_tokens = cached_tokens(model, self.prompt)
        self._job = job
        self._rng = rng
        self._budget = budget(model, job, len(self.prompt))
        rule = _TokenRule(job.masker) if job.masker and job.projection == "token" else None
        self._model = ByteModel(model, rule=rule)
        self._bytes = self._opened(ids)
        self._tokens_before = _fewest(self._bytes)
        self._output = Output(job.stop, job.suffix)
        self._state: State | None = None
        self._plan: bytes | None = None  # None: a shortest completion fits
        if job.masker is not None:
            self._state = job.masker.start()
            if not fits(job.masker, self._state, self._budget):
                raise BudgetTooSmall(
                    f"the shortest text of the language does not fit into {self._budget} tokens"
                )
        self.reason: FinishReason | None = None
        self._look()

    def _opened(self, ids: tuple[int, ...]) -> ByteState:
        job = self._job
        if job.boundary == "exact":
            return self._model.open([*job.prompt, job.text])
        taken = min(job.heal_tokens, len(ids)) if job.boundary == "heal" else 0
        kept = ids[: len(ids) - taken]
        text = self._model.vocabulary.decode(ids[len(kept) :])
        return self._model.open([*job.prompt, *kept, text])

    @property
    def _spent(self) -> int:
        return _fewest(self._bytes) - self._tokens_before

    def _look(self) -> None:
        """Find out which bytes are allowed, and whether the output is over."""
        self._next: dict[int, ByteState] = {}
        masker, self._allowed = self._job.masker, _FREE.copy()
        self._allowed[STOP] = not self._job.ignore_eos
        if masker is not None:
            assert self._state is not None  # there is a rule
            following = masker.automaton.next_bytes(self._state)
            self._allowed[:STOP] = False
            self._allowed[list(following)] = True
            is_complete = masker.is_complete(self._state)
            self._allowed[STOP] = is_complete and not (self._job.ignore_eos and following)
            if not following:
                self.reason = "stop"
        if self._output.stopped is not None:
            self.reason = "stop"
        elif self._budget == 0 and self.reason is None:
            self.reason = "length"

    async def step(self) -> Chunk | None:
        """Draw one byte or the end; returns what is final."""
        forced = np.flatnonzero(self._allowed)
        row = None
        if len(forced) == 1 and forced[0] != STOP:
            drawn = iter(forced.tolist())
        else:
            row = await self._bytes.logprobs()
            is_possible = (row[self._allowed] > -np.inf).any()
            drawn = iter(
                sampling.draws(row, self._allowed, self._job.sampling, self._rng)
                if is_possible
                else ()
            )
        for byte in drawn:
            if byte == STOP:
                self.reason = "stop"
                return None
            if self._admits(byte):
                return self._take(byte, row)
            if self._job.masker is None:
                break  # a free text ends where its budget does
        if self._job.masker is not None and self._planned():
            return self._take(self._planned()[0], row)
        self.reason = "length"
        return None

    def _admits(self, byte: int) -> bool:
        left = self._budget - (_fewest(self._after(byte)) - self._tokens_before)
        masker = self._job.masker
        if masker is None:
            return left >= 0
        assert self._state is not None  # there is a rule
        state = masker.automaton.step(self._state, byte)
        assert state is not None  # the byte is allowed
        return fits(masker, state, left) or self._planned()[:1] == bytes([byte])

    def _after(self, byte: int) -> ByteState:
        if byte not in self._next:
            self._next[byte] = self._bytes.advance(byte)
        return self._next[byte]

    def _planned(self) -> bytes:
        """The rest of a text that fits into the budget, or nearly: how the output is closed."""
        masker = self._job.masker
        assert masker is not None  # there is a rule
        assert self._state is not None
        if self._plan is None:
            plan = closing(masker, self._state)
            if plan is None:
                raise DeadEnd("no text of the language was found that the vocabulary can spell")
            self._plan = masker.vocabulary.decode(plan)
        return self._plan

    def _take(self, byte: int, row: NDArray[np.float64] | None) -> Chunk | None:
        text = bytes([byte])
        masker, may_end = self._job.masker, None
        scored = None if self._job.top_logprobs is None else self._scored(byte, row)
        self._bytes = self._after(byte)
        if masker is not None:
            assert self._state is not None  # there is a rule
            may_end = [masker.is_complete(self._state)]
            planned = self._plan
            self._state = masker.automaton.step(self._state, byte)
            assert self._state is not None  # the byte is allowed
            has_room = fits(masker, self._state, self._budget - self._spent)
            self._plan = None if has_room or planned is None else planned[1:]
        chunk = self._output.push(text, scored, may_end)
        self._look()
        return chunk

    def _scored(self, byte: int, row: NDArray[np.float64] | None) -> ScoredToken:
        top = self._job.top_logprobs or 0
        if row is None:
            certain = ScoredToken(byte, _TEXTS[byte], 0.0)
            return replace(certain, top=(certain,) if top else ())
        return sampling.scored(row, self._allowed, byte, top, _TEXTS)

    def rest(self) -> Chunk | None:
        """What was held back, if no stop string ended the output."""
        return self._output.flush() if self._output.stopped is None else None

    def finish(self, prompt: tuple[ScoredToken, ...]) -> Finish:
        """The last event; an end counts as a token."""
        assert self.reason is not None
        calls = self._model.model_calls + self.prompt_calls
        usage = Usage(
            len(self.prompt),
            max(0, self._spent),
            model_calls=calls,
            cached_tokens=self._cached_tokens,
        )
        return Finish(self.reason, usage, self._output.stopped, prompt)


def _fewest(state: ByteState) -> int:
    """The tokens in which the text is written, at the least."""
    return len(state.trunk) + min(len(head.path) + bool(head.pending) for head in state.heads)
