"""How a run begins: which tokens stand for the text before the cursor.

Text is seldom cut where tokens end. "exact" draws a cover of the text in proportion to its weight,
among those whose overhang the rule allows: what the model would have written had it come here by
itself (Vieira et al. 2024, proposition 2; up to what the model wastes on token strings that its
tokenizer does not write). "heal" takes tokens back and draws what spells their text again, token
by token. The overhang is the first of the output. Temperature and truncation shape the covers'
law as they shape a row: the last token is the only choice there is, those before it are prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding import sampling
from lipogram.decoding.bytes.leaves import Judge, Leaves, Weights, log_sum
from lipogram.decoding.bytes.lexicon import NO_BYTE
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.closing import fits
from lipogram.decoding.errors import ContextTooLong
from lipogram.decoding.events import ScoredToken
from lipogram.decoding.job import Job
from lipogram.decoding.models.base import CausalModel, Logits, MaskedModel, Query, cached_tokens
from lipogram.grammars import State

# Covers drawn and refused before one that ends at the cursor is taken.
_MOST_DRAWS: Final = 2048
# Rows asked for at a time when a prompt is scored: 128 rows of 128,000 scores are 64 MB.
_PROMPT_ROWS: Final = 128
_AT_A_TIME: Final = 64  # draws between turns of the event loop


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a run begins.

    `prompt` are the prompt's tokens as the tokenizer writes them, for counts and scores; `tokens`
    what the model sees before the output, for which there is a `budget` of tokens. `lead` is the
    output's first token if it begins in the prompt: its text is the overhang, before the bytes of
    which the output `may_end` or not (None: everywhere), and after which the rule is in `state`.
    `cached_tokens` of the prompt the model had at hand.
    """

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    budget: int
    lead: ScoredToken | None = None
    may_end: tuple[bool, ...] | None = None
    state: State | None = None
    model_calls: int = 0
    cached_tokens: int = 0


async def opened(model: CausalModel, job: Job, rng: np.random.Generator) -> Opening:
    """Choose the prompt's tokens.

    Near the end of the model's window, where a longer cover would not fit, as "none" does. Raises
    Unspellable, ContextTooLong, BackendFailed.
    """
    ids = tuple(model.vocabulary.encode(job.text))
    prompt = job.prompt + ids
    left = budget(model, job, len(prompt))
    plain = Opening(prompt, prompt, left, cached_tokens=cached_tokens(model, prompt))
    if not ids or not plain.budget or job.boundary == "none":
        return plain
    opening = _Opening(model, job, rng, plain)
    return await (opening.heal(ids) if job.boundary == "heal" else opening.exact())


async def scored_prompt(
    model: CausalModel, prompt: tuple[int, ...], top: int
) -> tuple[tuple[ScoredToken, ...], int]:
    """The prompt's tokens with their log-probabilities, and the positions asked of the model.

    A window of rows at a time.
    """
    tokens = model.vocabulary.tokens
    scored = [ScoredToken(id, tokens[id], None) for id in prompt[:1]]
    for begin in range(1, len(prompt), _PROMPT_ROWS):
        wanted = prompt[begin : begin + _PROMPT_ROWS]
        [rows] = await model.logits([Query(prompt[:begin], wanted[:-1])])
        scored += [
            sampling.scored(row, None, id, top, tokens)
            for row, id in zip(rows, wanted, strict=True)
        ]
    return tuple(scored), max(0, len(prompt) - 1)


def budget(model: CausalModel | MaskedModel, job: Job, length: int) -> int:
    """The tokens there are to spend after so many: max_tokens, within what the context leaves."""
    room = model.context_tokens - length
    if room < 0 or (room == 0 and job.max_tokens != 0):
        raise ContextTooLong(
            f"the prompt's {length} tokens leave no room in the model's window"
            f" of {model.context_tokens} tokens"
        )
    return room if job.max_tokens is None else min(job.max_tokens, room)


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """Candidates for the token at the cursor: their ranks in the lexicon, -1 for what ends there,
    how many of their bytes lie before it, and their log-weights (relative)."""

    ranks: NDArray[np.int64]
    depths: NDArray[np.int64]
    weights: Weights


class _Opening:
    """One opening on its way."""

    def __init__(
        self, model: CausalModel, job: Job, rng: np.random.Generator, plain: Opening
    ) -> None:
        self._model = model
        self._job = job
        self._rng = rng
        self._plain = plain
        self._lexicon = model.vocabulary.lexicon

    async def exact(self) -> Opening:
        """Draw a cover."""
        by_bytes = ByteModel(self._model)
        # A long run of one kind of character is read byte by byte.
        state = await asyncio.to_thread(by_bytes.open, [*self._job.prompt, self._job.text])
        before = [state.fixed + state.trunk + head.path for head in state.heads]
        if max(map(len, before)) >= self._model.context_tokens:
            return self._plain
        leaves, certain = await state.leaves()
        depths = np.array([len(head.pending) for head in state.heads], np.int64)[leaves.head]
        ends = np.array([weight for _, weight in certain])
        if self._job.top_logprobs is not None or self._job.sampling.truncates:
            # What is not written or refused must not count; what little is unjudged hardly does.
            leaves.judge = self._with_rule(leaves.judge, [len(h.pending) for h in state.heads])
            await leaves.settle(ends)
        choice = _Choice(
            np.append(leaves.rank, np.full(len(ends), -1)),
            np.append(depths, np.zeros(len(ends), np.int64)),
            np.append(leaves.weights, ends),
        )
        drawn = await self._draw(choice, leaves)
        if drawn is not None and drawn < len(depths):
            return self._led(before[leaves.head[drawn]], choice, drawn, by_bytes.model_calls)
        whole = certain[0 if drawn is None else drawn - len(depths)][0]
        return self._after(state.fixed + state.trunk + whole.path, by_bytes.model_calls)

    def _with_rule(self, judge: Judge, depths: Sequence[int]) -> Judge:
        def judged(head: int, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
            texts = [self._lexicon.texts[rank][depths[head] :] for rank in ranks.tolist()]
            verdicts = judge(head, ranks)
            verdicts &= np.array([self._after_rule(text) for text in texts])
            return verdicts

        return judged

    async def heal(self, ids: tuple[int, ...]) -> Opening:
        """Draw tokens that spell the last ones' text and may go on after it."""
        count = min(self._job.heal_tokens, len(ids))
        tokens = self._job.prompt + ids[:-count]
        pending = self._model.vocabulary.decode(ids[-count:])
        calls = 0
        while pending:
            [[row]] = await self._model.logits([Query(tokens)])
            calls += 1
            choice = self._healing(row, pending, count > 1)
            drawn = await self._draw(choice)
            if drawn is None:
                return self._plain
            if self._overhang(choice, drawn):
                return self._led(tokens, choice, drawn, calls)
            tokens += (int(self._lexicon.ids[choice.ranks[drawn]]),)
            pending = pending[int(choice.depths[drawn]) :]
        return self._after(tokens, calls)

    def _healing(self, row: Logits, pending: bytes, in_parts: bool) -> _Choice:
        """The tokens that begin with `pending`, and those that it begins with."""
        lexicon = self._lexicon
        sizes = range(1 if in_parts else len(pending), len(pending) + 1)
        found = [lexicon.narrow(0, len(lexicon), pending[:size]) for size in sizes]
        ranges = [np.arange(low, longer) for low, longer, _ in found]
        reaching = np.arange(*found[-1][1:])
        ranks = np.concatenate([*ranges, reaching])
        depths = np.repeat([*sizes, len(pending)], [len(each) for each in (*ranges, reaching)])
        return _Choice(ranks, depths, row[lexicon.ids[ranks]].astype(np.float64))

    async def _draw(self, choice: _Choice, leaves: Leaves | None = None) -> int | None:
        """An index of a candidate that suits; None where there is none, or it is hard to find."""
        choice.weights[~self._may_begin(choice)] = -np.inf
        allowed = choice.weights > -np.inf
        if not allowed.any():
            return None
        scores = choice.weights.copy()
        for token, bias in self._job.sampling.logit_bias.items():
            scores[(choice.ranks >= 0) & (self._lexicon.ids[choice.ranks] == token)] += bias
        drawn = sampling.draws(scores, allowed, self._job.sampling, self._rng)
        for count, index in enumerate(islice(drawn, _MOST_DRAWS), 1):
            overhang = self._overhang(choice, index)
            is_written = True
            if leaves is not None and index < len(leaves.head):
                is_written = bool(leaves.judged(np.array([index]))[0])
            if is_written and (not overhang or self._after_rule(overhang)):
                return index
            if count % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return None

    def _overhang(self, choice: _Choice, index: int) -> bytes:
        rank = int(choice.ranks[index])
        return self._lexicon.texts[rank][int(choice.depths[index]) :] if rank >= 0 else b""

    def _after_rule(self, overhang: bytes) -> bool:
        """Whether the output can begin so and still be closed."""
        masker = self._job.masker
        if masker is None:
            return True
        state = masker.automaton.walk(masker.start(), overhang)
        return state is not None and fits(masker, state, self._plain.budget - 1)

    def _may_begin(self, choice: _Choice) -> NDArray[np.bool_]:
        """Whether the rule allows the first two bytes of overhangs: most that fail fail here."""
        masker = self._job.masker
        if masker is None:
            return np.ones(len(choice.ranks), np.bool_)
        pairs = np.zeros((NO_BYTE + 1, NO_BYTE + 1), np.bool_)
        pairs[NO_BYTE, NO_BYTE] = True
        automaton, start = masker.automaton, masker.start()
        for first in automaton.next_bytes(start):
            state = automaton.step(start, first)
            assert state is not None  # the byte is allowed
            pairs[first, [*automaton.next_bytes(state), NO_BYTE]] = True
        one, two = (self._lexicon.bytes_at(choice.ranks, choice.depths + n) for n in (0, 1))
        ends = choice.ranks < 0
        return pairs[np.where(ends, NO_BYTE, one), np.where(ends, NO_BYTE, two)]

    def _after(self, tokens: tuple[int, ...], calls: int) -> Opening:
        """Begin where the cursor ends a token."""
        left = budget(self._model, self._job, len(tokens))
        return replace(self._plain, tokens=tokens, budget=left, model_calls=calls)

    def _led(self, before: tuple[int, ...], choice: _Choice, index: int, calls: int) -> Opening:
        """Begin with a token's overhang."""
        lead = self._scored(choice, index)
        left = budget(self._model, self._job, len(before))
        opening = replace(self._plain, tokens=before, budget=left, lead=lead, model_calls=calls)
        masker = self._job.masker
        if masker is None:
            return opening
        states = [masker.start()]
        for byte in lead.text:
            state = masker.automaton.step(states[-1], byte)
            assert state is not None  # the overhang was admitted
            states.append(state)
        may_end = tuple(masker.is_complete(state) for state in states[:-1])
        return replace(opening, may_end=may_end, state=states[-1])

    def _scored(self, choice: _Choice, index: int) -> ScoredToken:
        """The overhang with its log-probability given the text before the cursor, and the best."""
        logprobs = choice.weights - log_sum(choice.weights)
        best = np.argsort(-logprobs, kind="stable")[: self._job.top_logprobs or 0].tolist()
        chosen, *top = (
            ScoredToken(
                int(self._lexicon.ids[choice.ranks[each]]),
                self._overhang(choice, each),
                float(logprobs[each]),
            )
            for each in (index, *best)
            if logprobs[each] > -np.inf and choice.ranks[each] >= 0
        )
        return replace(chosen, top=tuple(top))
