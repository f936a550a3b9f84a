"""A canvas in compiled code: its cells, a witness, and what they say of a token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.chart import alike, filling, verdicts
from lipogram.decoding.canvas.chart.layout import BYTES
from lipogram.decoding.canvas.compiled import (
    adopting,
    deciding,
    first,
    layout,
    masks,
    search,
    stretches,
)
from lipogram.decoding.canvas.compiled.stretches import UNDECIDED
from lipogram.decoding.canvas.compiled.ways import spellings
from lipogram.decoding.canvas.fronts import WORK_PER_S
from lipogram.decoding.canvas.holes import Gap, Slot, Text
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.decoding.reaches import Reaches
from lipogram.decoding.sampling import pack
from lipogram.grammars import BudgetExceeded, State
from lipogram.grammars.arrays import view
from lipogram.grammars.engine.memory import COUNTERS, copy_in, new_memory
from lipogram.grammars.lattice import row

_MAX_BYTES: Final = 200 << 20


@dataclass(frozen=True, slots=True)
class Way:
    """Where another filling differs from the witness.

    Tokens by cell, EMPTY for the rest of a hole; texts by the position of a gap.
    """

    tokens: tuple[tuple[int, int], ...]
    texts: tuple[tuple[int, bytes], ...] = ()


class Board:
    """The cells of a lattice with its choices; positions are those of cells.

    The witness's tokens are by position, EMPTY where a slot is left so.
    """

    def __init__(self, lattice: Lattice) -> None:
        steps = self._steps = lattice.steps
        self._lattice = lattice
        self._spellings = spellings(steps.masker.vocabulary, steps.masker.has_specials)
        self._m, self._v = steps.masker.automaton.memory, steps.some_reaches.memory
        self._some = self._spellings._replace(trie=self._v)
        self.gap_texts: dict[int, bytes] = {}  # the witness's, by position
        self._end = lattice.end
        self._after = np.zeros(len(steps.masker.vocabulary), np.int32)
        self._k, self._r, self._w, self._c = (new_memory(_MAX_BYTES) for _ in range(4))
        self._k[layout.IS_MUNCHED] = int(steps.masker.has_lexemes)
        is_plain = not steps.masker.has_lexemes and not steps.masker.has_specials
        self.has_row = is_plain
        self._k[layout.HAS_ROW] = int(is_plain)
        self._lay_out(steps.start()[0])

    def _lay_out(self, start: State) -> None:
        elements: list[int] = []
        cell_of: list[int] = []
        starts = []
        slots = np.full((self._end + 1, layout.SLOT_WIDTH), -1, np.int32)
        slots[:, layout.S_STATE] = 0
        slots[0, layout.S_STATE] = start
        for position, cell in enumerate(self._lattice.cells):
            starts.append(len(elements))
            own = self._elements(position)
            elements += [*own, row.NEXT]
            cell_of += [position] * (len(own) + 1)
            slots[position, layout.S_KIND] = layout.TEXT
            if isinstance(cell, Slot):
                slots[position, layout.S_KIND] = layout.SLOT
                slots[position, layout.S_HOLE] = cell.hole.start
                slots[position, layout.S_STOP] = cell.hole.stop
                slots[position, layout.S_CHOICE] = self._choice(position)
                slots[position, layout.S_MAY_STOP] = self._lattice.may_stop(position)
            elif isinstance(cell, Gap):
                slots[position, layout.S_KIND] = layout.ANY_TEXT
        starts.append(len(elements))
        cells = np.zeros((self._end + 1, row.CELL_WIDTH), np.int32)
        cells[:, row.C_START] = starts
        cells[0, row.C_FRONT] = start
        for memory in (self._k, self._r, self._w):
            copy_in(memory, row.ELEMENTS, 0, np.array([*elements, row.END], np.int32))
            copy_in(memory, row.CELL_OF, 0, np.array([*cell_of, self._end], np.int32))
            memory[COUNTERS + row.ELEMENTS] = len(elements) + 1
            copy_in(memory, row.CELLS, 0, cells.ravel())
            for position in range(self._end - 1, -1, -1):
                row.follow(memory, position, self._end)
        copy_in(self._k, layout.SLOTS, 0, slots.ravel())
        stretches.begin_stretches(self._k, self._end)

    def _choice(self, position: int) -> int:
        cell = self._lattice.cells[position]
        assert isinstance(cell, Slot)
        choices = self._lattice.choices(cell.number)
        return layout.FREE if choices is None else choices[0]

    def _elements(self, position: int) -> Sequence[int]:
        """The bytes of a cell, or one gap."""
        cell = self._lattice.cells[position]
        if isinstance(cell, Text):
            return cell.text
        if isinstance(cell, Slot):
            token = self._choice(position)
            if token == EMPTY:
                return b""
            first, end = self._spellings.of[token : token + 2] if token >= 0 else (0, 0)
            if end - first == 1:
                begin, stop = self._spellings.starts[first : first + 2]
                return self._spellings.text[begin:stop].tobytes()
        return [row.GAP]

    def chosen(self, position: int) -> None:
        """See what a slot may take now."""
        cell = self._lattice.cells[position]
        assert isinstance(cell, Slot)
        slots = view(self._k, layout.SLOTS)
        for place in cell.hole:
            slots[layout.SLOT_WIDTH * place + layout.S_MAY_STOP] = self._lattice.may_stop(place)
        slots[layout.SLOT_WIDTH * position + layout.S_CHOICE] = self._choice(position)
        row.put_text(self._k, position, np.array(list(self._elements(position)), np.int64))
        row.follow(self._k, position, self._end)
        is_less = self._choice(position) != layout.FREE  # may be there than before
        stretches.forget_from(self._k, cell.hole.start if is_less else -1, self._end)

    def fill_by_chart(self, most: int, mode: int = BYTES) -> bool:
        """Whether a first witness is found by a chart of all cells with so many entries."""
        spellings = self._spellings if mode == BYTES else self._some
        with self._steps.working:
            is_found = self.has_row and filling.fill_by_chart(
                self._m, self._c, self._k, spellings, self._end, most, mode
            )
        if is_found:
            self.adopt(self.way())
        return bool(is_found)

    def is_hopeless(self, most: int) -> bool:
        """Whether a chart with so many entries shows that no texts at all fill the holes."""
        with self._steps.working:
            return self.has_row and bool(
                filling.is_hopeless(self._m, self._c, self._k, self._spellings, self._end, most)
            )

    def fill(self, most: int, loose: int) -> int:
        """Look for a first witness; see `first.fill`."""
        start = self._steps.start()[0]
        m, k, v, s = self._m, self._k, self._v, self._spellings
        reaches = self._steps.masker.vocabulary.reaches
        with self._steps.working, self._steps.some_reaches.lock:
            verdict: int = first.fill(m, k, v, reaches.memory, s, start, self._end, most, loose)
        tokens = tuple((place, self.token(place)) for place in self._lattice.position_of)
        self._lay_out(start)
        if verdict == stretches.ACCEPTED:
            self.adopt(Way(tokens))
            end = self.state(self._end)
            if end is None or not self._steps.is_complete((end,)):
                return UNDECIDED
        return verdict

    @contextmanager
    def _deciding(self, reaches: Reaches) -> Iterator[None]:
        """While this holds, a row may be another than the witness's, but not after it."""
        try:
            with self._steps.working, reaches.lock:
                yield
        except BudgetExceeded:
            stretches.restore_row(self._k, self._w, self._spellings, self._end)
            raise

    def decide(self, position: int, token: int, limit_s: float) -> int:
        """Whether a token fits a free slot; UNDECIDED where so much work does not tell."""
        with self._deciding(self._steps.some_reaches):
            return verdicts.decide(
                self._m, self._k, self._r, self._w, self._c, self._spellings, self._some, position,
                token, self._end, int(limit_s * WORK_PER_S),
            )  # fmt: skip

    def is_wide(self, position: int) -> bool:
        """Whether what is around a free slot leaves too much choice for `decide_one_of`."""
        return not self.has_row or bool(search.is_wide_at(self._k, position))

    def decide_one_of(self, position: int, tokens: NDArray[np.bool_]) -> int:
        """Whether one of some tokens fits a free slot; UNDECIDED where it is hard to tell."""
        reaches = self._steps.masker.vocabulary.reaches
        with self._deciding(reaches):
            return deciding.decide_one_of(
                self._m, self._k, self._r, self._w, self._v, reaches.memory, self._spellings,
                pack(tokens), position, self._end,
            )  # fmt: skip

    def way(self) -> Way:
        """What has been found by `fill_by_chart`, or `decide` where it fits."""
        flat = view(self._k, layout.WAY)[: 2 * int(self._k[COUNTERS + layout.WAY])].tolist()
        pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
        texts: dict[int, bytes] = {}
        for place, byte in pairs:
            if isinstance(self._lattice.cells[place], Gap):
                texts[place] = b"" if byte == EMPTY else texts[place] + bytes((byte,))
        return Way(tuple(pair for pair in pairs if pair[0] not in texts), tuple(texts.items()))

    def adopt(self, way: Way) -> None:
        """Let the witness go this way."""
        for position, text in way.texts:
            self.gap_texts[position] = text
            own = np.frombuffer(text, np.uint8).astype(np.int64)
            adopting.put_gap(self._k, self._r, self._w, position, own, self._end)
        flat = np.array(way.tokens, np.int64).ravel()
        begin = 0 if way.texts else self._end
        with self._steps.working:
            adopting.adopt(
                self._m, self._k, self._r, self._w, self._spellings, flat, begin, self._end
            )

    def text(self, position: int, token: int) -> bytes:
        """What the witness has in a cell, with this token where it is a slot."""
        cell = self._lattice.cells[position]
        if isinstance(cell, Text):
            return cell.text
        if isinstance(cell, Gap):
            return self.gap_texts[position]
        return b"" if token == EMPTY else self._steps.masker.vocabulary.tokens[token]

    def token(self, position: int) -> int:
        """The witness's token in a slot."""
        return self._field(position, layout.S_TOKEN)

    def state(self, position: int) -> State | None:
        """What the witness leads to at a position, None in the empty rest of a hole."""
        return self._field(position, layout.S_STATE) or None

    def _field(self, position: int, column: int) -> int:
        return view(self._k, layout.SLOTS)[layout.SLOT_WIDTH * position + column]

    def usable(self) -> NDArray[np.bool_]:
        """The tokens that the grammar may have."""
        found = self._steps.usable.copy()
        if self._steps.masker.has_specials:
            found[list(self._steps.masker.vocabulary.spellings.values())] = True
        return found

    def keep_possible(self, position: int, left: NDArray[np.bool_]) -> None:
        """Keep the tokens that any texts in all other slots leave possible, and some more."""
        steps, vocabulary = self._steps, self._steps.masker.vocabulary
        if self.has_row:
            with self._deciding(vocabulary.reaches):
                alike.keep_possible(
                    self._m, self._c, self._k, self._spellings, position, self._end, left
                )
        elif not steps.masker.has_lexemes:
            specials = [token for token in vocabulary.spellings.values() if left[token]]
            with steps.working, vocabulary.reaches.lock:
                masks.keep_possible(
                    self._m, self._k, vocabulary.reaches.memory, position, self._after, left
                )
            left[specials] = True  # of which there may be several spellings

    def classes(self, position: int, left: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """What is alike of the tokens left for a slot, see `alike.classify`."""
        found = np.full(len(left), alike.UNTOLD, np.uint64)
        if self.has_row:
            with self._deciding(self._steps.masker.vocabulary.reaches):
                alike.classify(
                    self._m, self._c, self._k, self._r, self._spellings, position, left, found
                )
        return found

    def move_fitting(
        self, position: int, state: State, way: Way, left: NDArray[np.bool_],
        fitting: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Move tokens that fit a slot, since what is behind it on the way can come after them."""
        reaches = self._steps.masker.vocabulary.reaches
        with self._deciding(reaches):
            masks.move_fitting(
                self._m, self._k, self._w, reaches.memory, self._spellings, state, position,
                np.array(way.tokens, np.int64).ravel(), self._after, left, fitting, self._end,
            )  # fmt: skip

    def proof(self) -> State | None:
        """From where nothing goes on with the token that `decide` has rejected, if it is known."""
        return (int(self._k[layout.PROOF]) or None) if self.has_row else None
