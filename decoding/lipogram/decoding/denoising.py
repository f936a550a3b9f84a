"""Generation by a masked model: a canvas of slots is filled in a few steps, in any order.

Each step the model scores all slots, and some of them are filled (`filler`), under a rule by what a
`Canvas` admits. The text that is final, all of it up to the first slot that may still change, goes
out as it comes about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import numpy as np

from lipogram.decoding.errors import BudgetTooSmall, ContextTooLong, HolesTooSmall, UnsupportedJob
from lipogram.decoding.events import Chunk, Event, Finish, FinishReason, Usage
from lipogram.decoding.filler import Filler, check
from lipogram.decoding.filling import Filling
from lipogram.decoding.job import Infill, Job
from lipogram.decoding.masking import Masker
from lipogram.decoding.models.base import Logits, MaskedModel
from lipogram.decoding.opening import budget
from lipogram.decoding.ordered import OrderedSlots
from lipogram.decoding.output import Output
from lipogram.decoding.schedule import Block, blocks, lengths, sureness
from lipogram.decoding.slots import EMPTY, Slots, slots_of
from lipogram.decoding.vocabulary import Vocabulary

# Slots of an output whose job does not say how many.
MOST_SLOTS: Final = 256
# Slots of an output without segments that are filled in any order under a rule: what may stand in
# a slot is much work to tell where nothing but the rule is known of what is before and behind it.
MOST_FREE: Final = 16


class Denoiser:
    """Generates with a masked model."""

    def __init__(self, model: MaskedModel) -> None:
        self.model = model

    async def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        """Chunks as soon as they are final, sketches if they are wanted, then one Finish.

        Closing it cancels within a step. Raises UnsupportedJob, ContextTooLong, BudgetTooSmall,
        Unfillable, HolesTooSmall, Unspellable, BackendFailed.
        """
        check(job, "a model that fills masks")
        run = await asyncio.to_thread(_Run, self.model, job)
        for chunk in run.filling.chunks(0):
            yield chunk
        if job.denoising.lengths == "likeliest":
            await run.choose_lengths()
        for block in blocks(run.filling.masked(range(len(run.filling.tokens))), job.denoising):
            for step in range(1, block.steps + 1):
                if run.is_over:
                    break
                if not run.wants(block, step):
                    continue
                await run.step(block, step)
                for chunk in run.chunks(block):
                    yield chunk
                if job.denoising.sketches:
                    yield Chunk(b"", sketch=run.filling.sketch(run.steps))
        for chunk in run.rest():
            yield chunk
        yield run.finish()


class _Run:
    """One generation on its way."""

    def __init__(self, model: MaskedModel, job: Job) -> None:
        vocabulary = model.vocabulary
        self._model = model
        self._job = job
        self._prompt = (*job.prompt, *vocabulary.encode(job.text))
        infill = job.infill or Infill((b"", b""), (self._budget(),))
        slots = _opened(job, vocabulary, infill)
        self._in_order = isinstance(slots, OrderedSlots)
        start = vocabulary.text_start if job.infill else b""
        self.filling = Filling(vocabulary, infill.segments, infill.max_tokens, slots, start)
        self._check_room()
        seed = job.sampling.seed
        self._filler = Filler(
            self.filling,
            vocabulary,
            job.sampling,
            np.random.default_rng(None if seed is None else seed % 2**64),
            ends=job.ends,
            ignore_eos=job.ignore_eos,
            has_specials=job.masker is not None and job.masker.has_specials,
        )
        self._output = Output(job.stop)
        self._walk = None if job.masker is None else _Walk(job.masker)
        self.steps = 0
        self._model_calls = 0

    def _budget(self) -> int:
        most = budget(self._model, self._job, len(self._prompt))
        return min(most, MOST_SLOTS) if self._job.max_tokens is None else most

    def _check_room(self) -> None:
        length = len(self.filling.layout(self._prompt, self._model.mask_id).canvas)
        self._prompt_tokens = length - len(self.filling.tokens)
        if length > self._model.context_tokens:
            raise ContextTooLong(
                f"the text has {self._prompt_tokens} tokens and its holes"
                f" {len(self.filling.tokens)}, together more than the model's window of"
                f" {self._model.context_tokens} tokens"
            )

    @property
    def is_over(self) -> bool:
        """Whether a stop string ended the output."""
        return self._output.stopped is not None

    def wants(self, block: Block, step: int) -> bool:
        """Whether the step has anything to fill; where holes end early, it may not have."""
        return self._missing(block, step) > 0

    def _missing(self, block: Block, step: int) -> int:
        done = len(block.slots) - len(self.filling.masked(block.slots))
        return block.goal(step) - done

    async def choose_lengths(self) -> None:
        """Leave the last slots of holes empty, so that the model is surest of the others.

        A masked model takes a hole to be as long as it is shown, so it is shown all lengths.
        """
        for index, hole in enumerate(self.filling.holes):
            tried = []
            has_end = len(hole) > 1 and any(self.filling.segments[index + 1 :])
            for length in lengths(len(hole)) if has_end else ():
                rows, places = await self._scored(hole[length:])
                own = rows[[places[slot] for slot in hole[:length]]]
                tried.append((sureness(own), length))
            await asyncio.to_thread(self._shorten, hole, sorted(tried, reverse=True))

    def _shorten(self, hole: range, tried: list[tuple[float, int]]) -> None:
        """Take the first of the lengths that the rule allows."""
        for _, length in tried:
            if length == len(hole) or self.filling.commit_all([(hole[length], EMPTY)]):
                break

    async def _scored(self, hidden: range = range(0)) -> tuple[Logits, dict[int, int]]:
        """The model's rows for the canvas without the slots `hidden`, and the places of slots."""
        layout = self.filling.layout(self._prompt, self._model.mask_id, hidden)
        rows = await self._model.logits(layout.canvas)
        self.steps += 1
        self._model_calls += len(layout.canvas)
        return rows, layout.places

    async def step(self, block: Block, step: int) -> None:
        """Fill slots of the block until as many are as should be after this step."""
        rows, places = await self._scored()
        await asyncio.to_thread(self._fill, block, step, rows, places)

    def _fill(self, block: Block, step: int, rows: Logits, places: dict[int, int]) -> None:
        how = self._job.denoising
        masked = self.filling.masked(block.slots)
        if how.remask and step < block.steps:
            count = int(how.remask * (len(block.slots) - len(masked)))
            self._filler.take_back(block.slots, count)
        own, count = rows[[places[slot] for slot in masked]], self._missing(block, step)
        if not self._in_order:
            self._filler.fill(masked, own, count, how.order)
            return
        for slot, row in zip(masked[:count], own, strict=False):
            if self.filling.masked([slot]):
                self._filler.fill([slot], row[None], 1, how.order)

    def chunks(self, block: Block) -> list[Chunk]:
        """What has become final; with remasking, nothing of the block that is under way."""
        whole = len(self.filling.tokens)
        return self._sent(block.slots[0] if self._job.denoising.remask else whole)

    def rest(self) -> list[Chunk]:
        """What is left at the end."""
        chunks = self._sent(len(self.filling.tokens))
        last = None if self.is_over else self._output.flush()
        return [*chunks, last] if last else chunks

    def _sent(self, final: int) -> list[Chunk]:
        chunks = self.filling.chunks(final)
        if not self._job.stop:
            return chunks
        found = []
        for chunk in chunks:
            if self.is_over:
                break
            may_end = None if self._walk is None else self._walk.may_end(chunk.text)
            pushed = self._output.push(chunk.text, None, may_end)
            if pushed is not None:
                found.append(pushed)
        return found

    def finish(self) -> Finish:
        """The last event."""
        usage = Usage(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self.filling.count,
            model_calls=self._model_calls,
            denoising_steps=self.steps,
            witness_tokens=self._filler.witness_tokens,
        )
        return Finish(self._reason(), usage, self._output.stopped)

    def _reason(self) -> FinishReason:
        """Why it ended: a whole text that fits its slots exactly is no shorter than it would be."""
        if self.is_over or not self.filling.is_spent:
            return "stop"
        masker = self._job.masker
        if masker is None or self._job.infill is not None:
            return "length"
        state = masker.automaton.walk(masker.start(), self.filling.text)
        return "length" if state is None or masker.automaton.next_bytes(state) else "stop"


def _opened(job: Job, vocabulary: Vocabulary, infill: Infill) -> Slots:
    """The slots of a job, whose budget is what is too small where it has no holes of its own."""
    if job.infill is None and job.masker is not None and infill.max_tokens[0] > MOST_FREE:
        if job.denoising.remask:
            raise UnsupportedJob(
                f"an output of more than {MOST_FREE} tokens is filled in order under a rule:"
                " nothing of it can be taken back"
            )
        return OrderedSlots(job.masker, infill.max_tokens[0])
    try:
        return slots_of(job.masker, vocabulary, infill)
    except HolesTooSmall as error:
        if job.infill is not None:
            raise
        raise BudgetTooSmall(
            f"a text of the language takes {error.wanted_tokens} tokens,"
            f" but there are {infill.max_tokens[0]} to spend"
        ) from None


class _Walk:
    """Where text that comes in pieces may end under a rule."""

    def __init__(self, masker: Masker) -> None:
        self._automaton = masker.automaton
        self._state = masker.start()

    def may_end(self, text: bytes) -> list[bool]:
        """For each byte of the next piece: may the text end before it?"""
        found = []
        for byte in text:
            found.append(self._automaton.is_complete(self._state))
            state = self._automaton.step(self._state, byte)
            assert state is not None  # the whole text is a member
            self._state = state
        return found
