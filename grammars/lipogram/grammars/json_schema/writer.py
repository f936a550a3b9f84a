"""From shapes to rules: JSON text of the values that a node accepts."""

from __future__ import annotations

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema.array_writer import ArrayWriter
from lipogram.grammars.json_schema.digits import DigitLimits, NumberWriter
from lipogram.grammars.json_schema.numbers import NumberSet
from lipogram.grammars.json_schema.object_writer import ObjectWriter
from lipogram.grammars.json_schema.schemas import Schemas
from lipogram.grammars.json_schema.shapes import NO_TEXTS, Node, Shape
from lipogram.grammars.json_schema.text import Layout, string

MAX_RULES = 60_000


class Writer:
    """Writes nodes as rules, each once."""

    def __init__(self, schemas: Schemas, layout: Layout, limits: DigitLimits) -> None:
        self.schemas = schemas
        self.layout = layout
        self.rules: dict[str, ir.Expression] = {}
        self.numbers = NumberWriter(limits, self.rules)
        self._scalars: dict[ir.Expression, ir.Expression] = {}
        self._written: dict[Node, ir.Expression] = {}
        self._pending: list[tuple[str, Shape]] = []
        self._arrays = ArrayWriter(self)
        self._objects = ObjectWriter(self)
        self._added = 0

    def write(self, root: Node) -> None:
        """Fills `rules`, from `start` on, with all that the root leads to."""
        self.rules["start"] = ir.NOTHING
        self.rules["start"] = self.value(root)
        while self._pending:
            name, shape = self._pending.pop()
            self.rules[name] = self.shape(shape)
            if len(self.rules) > MAX_RULES:
                raise BudgetExceeded(f"the schema takes more than {MAX_RULES} rules", pointer="")

    def value(self, of: Node) -> ir.Expression:
        """What stands for a value that satisfies the node."""
        if of not in self._written:
            shape = self.schemas.shape(of)
            if shape.arrays or shape.objects:
                name = f"value {len(self._written)}"
                self._written[of] = ir.Reference(name)
                self._pending.append((name, shape))
            else:
                self._written[of] = self.scalar(self.shape(shape))
        return self._written[of]

    def scalar(self, expression: ir.Expression) -> ir.Expression:
        """One rule for all places that have the same expression, so that they share its states."""
        if isinstance(expression, ir.Literal) or expression == ir.NOTHING:
            return expression
        if expression not in self._scalars:
            self._scalars[expression] = self.add("scalar", expression)
        return self._scalars[expression]

    def shape(self, shape: Shape) -> ir.Expression:
        """What stands for a member of the shape."""
        options: list[ir.Expression] = []
        options.extend(self._objects.write(cube) for cube in shape.objects)
        options.extend(self._arrays.write(cube) for cube in shape.arrays)
        if shape.strings != NO_TEXTS:
            options.append(string(shape.strings.expression))
        if shape.numbers != NumberSet():
            options.append(self.numbers.write(shape.numbers))
        words = [b"true" if value else b"false" for value in sorted(shape.booleans, reverse=True)]
        options.extend(map(ir.Literal, words + [b"null"] * shape.null))
        return ir.choice(*(option for option in options if option != ir.NOTHING))

    def enclosed(self, opening: bytes, inner: ir.Expression, closing: bytes) -> ir.Expression:
        """An array or object that is not empty."""
        gap = self.layout.inside
        return ir.sequence(ir.Literal(opening), gap, inner, gap, ir.Literal(closing))

    def hollow(self, opening: bytes, closing: bytes) -> ir.Expression:
        """An empty array or object."""
        return ir.sequence(ir.Literal(opening), self.layout.inside, ir.Literal(closing))

    def add(self, what: str, body: ir.Expression) -> ir.Expression:
        """A new rule, referred to."""
        name = self.fresh(what)
        self.rules[name] = body
        return ir.Reference(name)

    def fresh(self, what: str) -> str:
        """A name for a family of rules."""
        self._added += 1
        return f"{what} {self._added}"
