"""From schemas to shapes: what a signed schema, or a conjunction of them, accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.json_schema import (
    applicators,
    arrays,
    complements,
    objects,
    pruning,
    regular,
    scalars,
    strings,
    unevaluated,
)
from lipogram.grammars.json_schema.algebra import (
    join,
    meet,
    merged_absence,
)
from lipogram.grammars.json_schema.document import Document
from lipogram.grammars.json_schema.places import OF_NO_DRAFT, Place, escaped
from lipogram.grammars.json_schema.shapes import (
    ANY,
    ANYTHING,
    NEVER,
    NO_TEXTS,
    NONE,
    ArrayCube,
    Node,
    ObjectCube,
    Shape,
    Signed,
    both,
    in_region,
    node,
    overlap,
)
from lipogram.grammars.json_schema.vocabulary import ANNOTATIONS, EVERY_DRAFT, Dialect, looks_like

MAX_DEPTH = 60
MAX_QUESTIONS = 2_000
_PROOF_DEPTH = 5
_FEW_CASES = 4

Formats = Literal["asserted", "annotations"]
Handler = Callable[["Schemas", Place, bool], Shape]


@dataclass(slots=True)
class _Known:
    """The shapes worked out so far; None for a place that is being worked out."""

    nodes: dict[Node, Shape] = field(default_factory=dict)
    places: dict[Signed, Shape | None] = field(default_factory=dict)


class Schemas:
    """Shapes of the schemas of one document, each worked out once."""

    def __init__(self, document: Document, formats: Formats) -> None:
        self.document = document
        self.formats = formats
        self.warnings: dict[str, None] = {}
        self.narrowed: dict[str, None] = {}
        self._exact = _Known()
        # Without these, no shape differs where no more than emptiness is asked.
        differing = document.uses_unevaluated or "oneOf" in document.told
        self._loose = _Known() if differing else self._exact
        self._known = self._exact
        # Whether shapes may be too large now: all that is asked is whether they are empty.
        self.proving = False
        self.simple_nodes: dict[Node, Node] = {}
        self._unions: dict[tuple[Node, ...], Place] = {}
        self._empty: dict[Node, tuple[bool, int]] = {}
        self._depth = 0
        self._questions = 0

    def shape(self, of: Node) -> Shape:
        """The values that satisfy the node."""
        found = self._known.nodes.get(of)
        if found is None:
            if of == NEVER:
                return NONE
            found = ANY
            for sign, place in of:
                found = self.pruned(meet(found, self._shape_of(sign, place)))
            if self._known is not self._exact or not self.proving or _is_small(found):
                self._known.nodes[of] = found
        return found

    def pruned(self, shape: Shape) -> Shape:
        """The same values in fewer cubes, where there are many."""
        if self.proving or _is_small(shape):
            return shape
        return replace(shape, objects=pruning.pruned(self, shape.objects))

    def at(self, sign: bool, place: Place) -> Shape:
        """The values that satisfy, or do not satisfy, the schema at the place."""
        return self.shape(node(sign, place))

    def _shape_of(self, sign: bool, place: Place) -> Shape:
        known = self._known.places
        key = (sign, place)
        if key in known:
            found = known[key]
            if found is None:
                place.refuse("$ref", "leads back to itself with no value in between")
            return found
        known[key] = None
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BudgetExceeded(
                f"more than {MAX_DEPTH} schemas apply to one value, one within the other",
                pointer=place.pointer,
            )
        try:
            found = self._positive(place) if sign else self._negative(place)
        finally:
            self._depth -= 1
            del known[key]
        known[key] = found
        return found

    def _handlers(self, place: Place) -> Sequence[Handler]:
        """What the keywords of a schema ask for, applicators first, in the order of the text."""
        if "$ref" in place.value and 0 < place.draft <= 7:
            return [applicators.reference]
        found, others = _handlers_of(tuple(place.value), place.resource.dialect)
        for keyword in others:
            if keyword not in ("$defs", "definitions"):
                self._unknown(place, keyword)
            elif not isinstance(place.value[keyword], dict):
                raise place.error("an object of schemas", keyword)
        return found

    def _unknown(self, place: Place, keyword: str) -> None:
        """An unknown name is an annotation, as JSON Schema says; but it may be a slip."""
        meant = looks_like(keyword)
        if keyword in EVERY_DRAFT.keywords:
            what = f"not a keyword of draft {place.draft or 2020} or its vocabularies"
        elif meant:
            what = f"not a keyword, but {meant!r} is"
        else:
            what = "not a keyword of JSON Schema"
        self.warn(place, keyword, f"{what}; taken as an annotation")

    def either(self, nodes: tuple[Node, ...]) -> Node:
        """A node for the values that satisfy any of the nodes."""
        if ANYTHING in nodes:
            return ANYTHING
        left = tuple(dict.fromkeys(one for one in nodes if one != NEVER))
        if len(left) < 2:
            return left[0] if left else NEVER
        if left not in self._unions:
            above = left[0][0][1]
            self._unions[left] = Place({applicators.EITHER: left}, OF_NO_DRAFT, (), above)
        return ((True, self._unions[left]),)

    def warn(self, place: Place, keyword: str, what: str) -> None:
        """Notes something that is worth knowing and changes nothing."""
        self.warnings[f"{place.pointer}/{escaped(keyword)}: {what}"] = None

    def narrow(self, place: Place, keyword: str, what: str) -> None:
        """Notes that valid values are left out."""
        self.narrowed[f"{place.pointer}/{escaped(keyword)}: {what}"] = None

    def _positive(self, place: Place) -> Shape:
        if applicators.EITHER in place.value:
            return applicators.either(self, place, True)
        found = ANY
        for handler in self._handlers(place):
            found = meet(found, handler(self, place, True))
        if self.document.uses_unevaluated:
            if place.has("unevaluatedProperties"):
                found = unevaluated.unevaluated_properties(self, place, found)
            if place.has("unevaluatedItems"):
                found = unevaluated.unevaluated_items(self, place, found)
        return found

    def _negative(self, place: Place) -> Shape:
        if applicators.EITHER in place.value:
            return applicators.either(self, place, False)
        found = join(handler(self, place, False) for handler in self._handlers(place))
        if self.document.uses_unevaluated:
            found = unevaluated.unseen(self._unevaluated_or_not(place, found))
        if len(found.objects) > 1:
            found = replace(found, objects=merged_absence(found.objects))
        return found

    def _unevaluated_or_not(self, place: Place, found: Shape) -> Shape:
        """What the other keywords do not accept, and what the unevaluated ones do not."""
        if not place.has("unevaluatedProperties", "unevaluatedItems"):
            return found
        if self.proving:
            return join((found, Shape(arrays=ANY.arrays, objects=ANY.objects)))
        whole = self._positive(place)
        arrays, objects = found.arrays, found.objects
        if place.has("unevaluatedItems"):
            arrays = complements.other_arrays(whole)
        if place.has("unevaluatedProperties"):
            objects = complements.other_objects(whole)
        return replace(found, arrays=arrays, objects=objects)

    def is_empty(self, of: Node, depth: int = _PROOF_DEPTH) -> bool:
        """Whether it is certain, and cheaply shown, that nothing satisfies the node."""
        if of in (ANYTHING, NEVER):
            return of == NEVER
        known, looked = self._empty.get(of, (False, 0))
        if not known and looked < depth:
            before = self._known, self.proving
            self._known, self.proving = self._loose, True
            try:
                known = self.has_nothing(self.shape(of), depth)
            except (BudgetExceeded, Unsupported):
                known = False
            finally:
                self._known, self.proving = before
            self._empty[of] = (known, depth)
        return known

    def has_nothing(self, shape: Shape, depth: int = _PROOF_DEPTH) -> bool:
        """Whether it is certain, and cheaply shown, that the shape has no members."""
        if shape.null or shape.booleans or shape.numbers.points or shape.numbers.ranges:
            return False
        return (
            (shape.strings == NO_TEXTS or self._no_texts(shape.strings.expression))
            and all(self._no_arrays(cube, depth) for cube in shape.arrays)
            and all(self.no_objects(cube, depth) for cube in shape.objects)
        )

    def _no_texts(self, expression: ir.Expression) -> bool:
        self._questions += 1  # each may take a compilation
        if self._questions > MAX_QUESTIONS:
            raise BudgetExceeded(
                f"whether strings satisfy several schemas is asked more than {MAX_QUESTIONS} times",
                pointer="",
            )
        return regular.is_empty(expression)

    def _no_arrays(self, cube: ArrayCube, depth: int) -> bool:
        count = min(cube.least, len(cube.prefix) + 1)
        return any(self.is_empty(cube.at(index), depth - 1) for index in range(count)) or any(
            contains.least > 0
            and all(
                self.is_empty(both(cube.at(index), contains.item), depth - 1)
                for index in range(contains.start, max(len(cube.prefix), contains.start) + 1)
            )
            for contains in cube.contains
        )

    def no_objects(self, cube: ObjectCube, depth: int) -> bool:
        """Whether it is certain, and cheaply shown, that the cube has no members."""
        return any(self.is_empty(cube.at(name), depth - 1) for name in cube.required) or any(
            all(
                self.is_empty(both(own, value), depth - 1)
                for own_region, own in cube.others
                if overlap(own_region, region) is not None
            )
            and all(
                self.is_empty(both(own, value), depth - 1)
                for name, own in cube.named.items()
                if in_region(region, name)
            )
            for region, value in cube.witnesses
        )


def _is_small(shape: Shape) -> bool:
    return len(shape.objects) <= _FEW_CASES


_HANDLERS: dict[str, Handler] = {
    **applicators.HANDLERS,
    **scalars.HANDLERS,
    **strings.HANDLERS,
    **arrays.HANDLERS,
    **objects.HANDLERS,
}
_FIRST = frozenset(
    ("$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "if", "properties",
     "patternProperties", "additionalProperties", "dependentSchemas")
)  # fmt: skip


@lru_cache(maxsize=1024)
def _handlers_of(names: tuple[str, ...], dialect: Dialect) -> tuple[list[Handler], list[str]]:
    """The handlers of a schema with these names, and which names need a look at the place."""
    first: list[Handler] = []
    later: list[Handler] = []
    others: list[str] = []
    for name in names:
        if name in dialect.keywords:
            handler = _HANDLERS.get(name)
            if handler is not None and handler not in first and handler not in later:
                (first if name in _FIRST else later).append(handler)
        elif name in ("$defs", "definitions") or (
            name not in ANNOTATIONS and not name.startswith("x-")
        ):
            others.append(name)
    return first + later, others
