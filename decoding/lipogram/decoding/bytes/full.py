"""Generation byte by byte: every byte is drawn from the law of bytes, of one model or of several.

With `projection` "token" a rule forbids tokens before their bytes are summed: the law of texts is
that of constrained decoding by tokens, of those token strings that the tokenizer writes. With
"byte" it forbids bytes, and the rest is renormalised, which is another law: a byte is as likely as
the model finds it, however few of the texts behind it the rule allows.

Temperature and truncation shape the law of bytes.

The budget counts tokens: the fewest in which the (first) model has written the output so far.
What weighs less than a billionth of all is not judged: the laws are exact up to that.

A byte is drawn as soon as the scores that are there tell which one it is. Drafts are of bytes: all
scores that the laws up to the end of a draft need are asked for at once, and each byte is drawn as
it would be without, or by the same law (`ratio`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding import sampling
from lipogram.decoding.bytes.ahead import Ahead
from lipogram.decoding.bytes.course import BYTES, ByteCourse
from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.bytes.mixed import SHARES, MixedState
from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.bytes.ratio import RatioDrafts
from lipogram.decoding.bytes.states import ByteState
from lipogram.decoding.bytes.token_rule import TokenRule
from lipogram.decoding.closing import closing, fits
from lipogram.decoding.course import Free, Outlook
from lipogram.decoding.errors import BudgetTooSmall, DeadEnd, UnsupportedJob
from lipogram.decoding.events import Chunk, Event, Finish, FinishReason, ScoredToken, Usage
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.job import Job, Sampling
from lipogram.decoding.models.base import CausalModel, cached_tokens
from lipogram.decoding.opening import budget, scored_prompt
from lipogram.decoding.output import Output
from lipogram.grammars import State

_EPSILON = 1e-9


async def generate(
    models: Sequence[CausalModel], job: Job, rng: np.random.Generator, mixing: Mixing | None = None
) -> AsyncGenerator[Event, None]:
    """Chunks of bytes, then one Finish; see `Autoregressive.generate`.

    Raises what that does, and UnsupportedJob for what is said of tokens: biases, penalties, and
    rules with special tokens.
    """
    _check(job)
    run = _Run(models, job, rng, mixing or Mixing())
    prompt: tuple[ScoredToken, ...] = ()
    if job.echo_logprobs:
        top = job.top_logprobs or 0
        prompt, run.prompt_calls = await scored_prompt(models[0], run.prompt, top)
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


class _Run:
    """One generation on its way."""

    def __init__(
        self, models: Sequence[CausalModel], job: Job, rng: np.random.Generator, mixing: Mixing
    ) -> None:
        self.prompt_calls = 0
        self._job = job
        self._rng = rng
        prompts = (Prompt(job.prompt, job.text, job.ends), *job.other_prompts)
        members = [self._opened(*each) for each in zip(models, prompts, strict=True)]
        self._models = [member.model for member in members]
        self._bytes = MixedState.begun(members, mixing)
        self.prompt = (*job.prompt, *models[0].vocabulary.encode(job.text))
        self._cached_tokens = cached_tokens(models[0], self.prompt)
        self._budget = budget(models[0], job, len(self.prompt))
        self._tokens_before = self._bytes.tokens
        self._output = Output(job.stop, job.suffix)
        self._course: Outlook = Free(BYTES, job.ignore_eos)
        self._plan: bytes | None = None  # None: a shortest completion fits
        self._ahead: Ahead | RatioDrafts | None = None
        if job.drafters is not None:
            text = models[0].vocabulary.decode(job.prompt) + job.text
            opened = job.drafters.open(job, text)
            self._ahead = opened if isinstance(opened, RatioDrafts) else Ahead(opened, text)
        if job.masker is not None:
            automaton = job.masker.automaton
            self._course = ByteCourse(automaton, job.ignore_eos, automaton.start())
            if not self._fits(automaton.start(), self._bytes):
                raise BudgetTooSmall(
                    f"the shortest text of the language does not fit into {self._budget} tokens"
                )
        self.reason: FinishReason | None = None
        self._look()

    def _opened(self, model: CausalModel, prompt: Prompt) -> ByteState:
        """A model behind its prompt; raises ContextTooLong."""
        job = self._job
        ids = tuple(model.vocabulary.encode(prompt.text))
        budget(model, job, len(prompt.tokens) + len(ids))
        is_rule = job.masker is not None and job.projection == "token"
        rule = TokenRule(job.masker, prompt.ends) if job.masker and is_rule else None
        by_bytes = ByteModel(model, epsilon=_EPSILON, rule=rule, ends=prompt.ends)
        if job.boundary == "exact":
            return by_bytes.open([*prompt.tokens, prompt.text])
        taken = min(job.heal_tokens, len(ids)) if job.boundary == "heal" else 0
        kept = ids[: len(ids) - taken]
        text = model.vocabulary.decode(ids[len(kept) :])
        return by_bytes.open([*prompt.tokens, *kept, text])

    def _left(self, after: MixedState) -> int:
        """The tokens that are left of the budget at a state."""
        return self._budget - (after.tokens - self._tokens_before)

    def _fits(self, state: State, after: MixedState) -> bool:
        """Whether the output can be closed there within the budget and every member's window."""
        masker, left = self._job.masker, self._left(after)
        assert masker is not None  # there is a rule
        if not fits(masker, state, left):
            return False
        if after.room >= left * masker.vocabulary.longest_token_bytes:
            return True
        plan = closing(masker, state)
        return plan is not None and len(masker.vocabulary.decode(plan)) <= after.room

    def _look(self) -> None:
        """Find out whether the output is over."""
        self._next: dict[int, MixedState] = {}
        if self._output.stopped is not None or self._course.is_over:
            self.reason = "stop"
        elif self._budget == 0:
            self.reason = "length"

    async def step(self) -> Chunk | None:
        """Draw one byte or the end; returns what is final."""
        row, drawn = None, iter(() if self._course.only is None else (self._course.only,))
        if self._asks(self._course):
            symbol = await self._drawn()
            if symbol is not None:
                drawn = iter((symbol,))
            else:
                row = await self._bytes.logprobs()
                if (row[self._course.allowed] > -np.inf).any():
                    law, ahead = self._job.sampling, self._ahead
                    first = None if ahead is None else ahead.first(self._rng)
                    drawn = sampling.draws(row, self._course.allowed, law, self._rng, first)
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

    def _asks(self, course: Outlook) -> bool:
        """Whether the models have to be asked for the byte that comes there."""
        return course.only is None or self._bytes.needs_every_law

    async def _drawn(self) -> int | None:
        """What is drawn, if that is told without the whole law, and is admitted; else None.

        A number of the generator is used only where something is.
        """
        law = self._job.sampling
        is_plain = not law.truncates and law.temperature <= 1 and self._job.top_logprobs is None
        is_plain &= self._bytes.is_mean
        if self._ahead is not None:
            longest = self._models[0].vocabulary.longest_token_bytes
            most = (max(self._left(self._bytes), 0) + 1) * longest - 1
            share = SHARES[0] if is_plain else 0.0
            await self._ahead.look(self._bytes, self._course, self._rng, most, share)
            is_plain &= not self._ahead.needs_law
        if not is_plain:
            return None
        allowed, before = self._course.allowed, self._rng.bit_generator.state
        symbol = await self._bytes.drawn(self._rng.random(), allowed, law.temperature)
        if symbol is None or not (symbol == STOP or self._admits(symbol)):
            self._rng.bit_generator.state = before
            return None
        return symbol

    def _admits(self, byte: int) -> bool:
        after = self._after(byte)
        if self._job.masker is None:
            return self._left(after) >= 0 and after.room >= 0
        return self._fits(self._state_after(byte), after) or self._planned()[:1] == bytes([byte])

    def _state_after(self, byte: int) -> State:
        course = self._course.after(byte)
        assert course is not None  # the byte is allowed
        assert course.state is not None  # there is a rule
        return course.state

    def _after(self, byte: int) -> MixedState:
        if byte not in self._next:
            self._next[byte] = self._bytes.advance(byte)
        return self._next[byte]

    def _planned(self) -> bytes:
        """The rest of a text that fits into the budget, or nearly: how the output is closed."""
        masker, state = self._job.masker, self._course.state
        assert masker is not None  # there is a rule
        assert state is not None
        if self._plan is None:
            plan = closing(masker, state)
            if plan is None:
                raise DeadEnd("no text of the language was found that the vocabulary can spell")
            self._plan = masker.vocabulary.decode(plan)
        return self._plan

    def _take(self, byte: int, row: NDArray[np.float64] | None) -> Chunk | None:
        masker, may_end = self._job.masker, None
        scored = None if self._job.top_logprobs is None else self._scored(byte, row)
        self._bytes = self._after(byte)
        if masker is not None:
            assert self._course.state is not None  # there is a rule
            may_end = [masker.is_complete(self._course.state)]
            planned, has_room = self._plan, self._fits(self._state_after(byte), self._bytes)
            self._plan = None if has_room or planned is None else planned[1:]
        course = self._course.after(byte)
        assert course is not None  # the byte is allowed
        self._course = course
        if self._ahead is not None:
            self._ahead.took(byte)
        chunk = self._output.push(BYTES.tokens[byte], scored, may_end)
        self._look()
        return chunk

    def _scored(self, byte: int, row: NDArray[np.float64] | None) -> ScoredToken:
        top = self._job.top_logprobs or 0
        if row is None:
            certain = ScoredToken(byte, BYTES.tokens[byte], 0.0)
            return replace(certain, top=(certain,) if top else ())
        return sampling.scored(row, self._course.allowed, byte, top, BYTES.tokens)

    def rest(self) -> Chunk | None:
        """What was held back, if no stop string ended the output."""
        return self._output.flush() if self._output.stopped is None else None

    def finish(self, prompt: tuple[ScoredToken, ...]) -> Finish:
        """The last event; an end counts as a token."""
        assert self.reason is not None
        drafted = accepted = 0
        if self._ahead is not None:
            drafted, accepted = self._ahead.counts
        calls = tuple((each.model.name, each.model_calls) for each in self._models)
        usage = Usage(
            prompt_tokens=len(self.prompt),
            completion_tokens=max(0, self._budget - self._left(self._bytes)),
            model_calls=sum(count for _, count in calls) + self.prompt_calls,
            member_calls=calls if len(calls) > 1 else (),
            cached_tokens=self._cached_tokens,
            model_passes=max(each.model_passes for each in self._models),
            drafted_tokens=drafted,
            accepted_tokens=accepted,
        )
        return Finish(self.reason, usage, self._output.stopped, prompt)
