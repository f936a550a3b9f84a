"""Grammars read from right to left."""

from __future__ import annotations

from functools import lru_cache

from lipogram.grammars import ir
from lipogram.grammars.utf8 import ByteRanges, byte_ranges


def reversed_grammar(grammar: ir.Grammar, mirror: Mirror) -> ir.Grammar:
    """The grammar of all members read backwards: the same rules under the same names.

    Lexing is left out: maximal munch looks ahead, which read backwards is looking behind. Where
    there are lexemes, the language is a superset.
    """
    rules = {name: mirror(body) for name, body in grammar.rules.items()}
    return ir.Grammar(rules, grammar.start, grammar.report)


class Mirror:
    """Expressions to those of the same texts backwards, shared parts once.

    What it made it takes back to the very expression that it was made from; and what `parent` made,
    which does not get to know what this one makes.
    """

    def __init__(self, parent: Mirror | None = None) -> None:
        self._images: dict[int, tuple[ir.Expression, ir.Expression]] = {}
        self._parent = parent

    def __call__(self, expression: ir.Expression) -> ir.Expression:
        """The expression backwards. Cost: linear in the parts that are new."""
        known = self._known(expression)
        if known is not None:
            return known
        image = self._reversed(expression)
        # Both are kept, so that their identities are not used again.
        self._images[id(expression)] = (expression, image)
        self._images.setdefault(id(image), (image, expression))
        return image

    def _known(self, expression: ir.Expression) -> ir.Expression | None:
        pair = self._images.get(id(expression))
        if pair is not None:
            return pair[1]
        return None if self._parent is None else self._parent._known(expression)

    def _reversed(self, expression: ir.Expression) -> ir.Expression:
        match expression:
            case ir.Literal(text):
                return ir.Literal(text[::-1])
            case ir.Literals(texts):
                return ir.Literals(tuple(text[::-1] for text in texts))
            case ir.Chars(ranges):
                return _reversed_chars(ranges)
            case ir.Sequence(items):
                return ir.Sequence(tuple(self(item) for item in reversed(items)))
            case ir.Choice(options):
                return ir.Choice(tuple(self(option) for option in options))
            case ir.Repeat(item, minimum, maximum):
                return ir.Repeat(self(item), minimum, maximum)
            case ir.Intersection(items):
                return ir.Intersection(tuple(self(item) for item in items))
            case ir.Complement(item):
                return ir.Complement(self(item))
            case ir.Members():
                return self._reversed_members(expression)
        return expression  # a byte set or a reference

    def _reversed_members(self, run: ir.Members) -> ir.Expression:
        count = len(run.items)
        backwards = ir.Members(
            tuple(self(item) for item in reversed(run.items)),
            frozenset(count - 1 - index for index in run.required),
            self(run.others),
            self(run.separator),
            run.minimum,
            run.maximum,
            run.any_order,
        )
        return backwards if run.any_order else _others_first(backwards)


def _others_first(run: ir.Members) -> ir.Expression:
    """A run in order whose others come before the first item instead of behind the last.

    All others are an item of their own. It counts for one member whatever their number, so where
    the number of members is bounded, there is an option for each number that makes a difference.
    """
    if run.others == ir.NOTHING:
        return run
    minimum = 0 if run.minimum <= len(run.required) else run.minimum
    if minimum == 0 and run.maximum is None:
        return _behind_others(run, 1, None, False, 0, None)
    options = []
    starts = _counts_of_others(run, minimum)
    for index, fewest in enumerate(starts):
        most = starts[index + 1] - 1 if index + 1 < len(starts) else None
        if run.maximum is not None:
            most = run.maximum - len(run.required) if most is None else most
        least = max(minimum - fewest, 0)
        room = None if run.maximum is None else run.maximum - fewest
        if room is not None and room >= len(run.items):
            room = None
        if fewest == 0:
            options.append(
                ir.Members(run.items, run.required, ir.NOTHING, run.separator, least, room)
            )
        else:
            options.append(_behind_others(run, fewest, most, True, least, room))
    return ir.choice(*options)


def _counts_of_others(run: ir.Members, minimum: int) -> list[int]:
    """The numbers of others from which on the bounds on the number of items are different."""
    items, needed = len(run.items), len(run.required)
    starts = {0, 1, *range(max(minimum - items, 0), minimum + 1)}
    if run.maximum is not None:
        starts |= set(range(max(run.maximum - items, 0), run.maximum - needed + 1))
        starts = {start for start in starts if start <= run.maximum - needed}
    return sorted(start for start in starts if start >= minimum - items)


def _behind_others(
    run: ir.Members, fewest: int, most: int | None, is_needed: bool, least: int, room: int | None
) -> ir.Members:
    """From `fewest` to `most` others, then from `least` to `room` items; or no others at all."""
    more = ir.Sequence((run.separator, run.others))
    most = None if most is None else most - 1
    block = ir.Sequence((run.others, ir.Repeat(more, fewest - 1, most)))
    required = {index + 1 for index in run.required} | ({0} if is_needed else set())
    return ir.Members(
        (block, *run.items),
        frozenset(required),
        ir.NOTHING,
        run.separator,
        least + is_needed,
        None if room is None else room + is_needed,
    )


@lru_cache(maxsize=4096)
def _reversed_chars(ranges: tuple[tuple[int, int], ...]) -> ir.Expression:
    """UTF-8 from the last byte to the first, of which each settles what may come before it."""
    return _factored(
        frozenset(span[::-1] for low, high in ranges for span in byte_ranges(low, high))
    )


def _factored(spans: frozenset[ByteRanges]) -> ir.Expression:
    """Any of these series of byte ranges, with the bytes joined that the same may follow."""
    by_rests: dict[frozenset[ByteRanges], int] = {}
    for byte in range(256):
        rests = frozenset(span[1:] for span in spans if span[0][0] <= byte <= span[0][1])
        if rests:
            by_rests[rests] = by_rests.get(rests, 0) | 1 << byte
    options: list[ir.Expression] = []
    for rests, mask in by_rests.items():
        longer = rests - {()}
        after = [_factored(longer)] if longer else []
        if () in rests:
            after.append(ir.EMPTY)
        options.append(ir.sequence(ir.Bytes(mask), ir.choice(*after)))
    return ir.choice(*options)
