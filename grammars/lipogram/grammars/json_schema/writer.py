"""From shapes to rules: JSON text of the values that a node accepts."""

from __future__ import annotations

from typing import Literal

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema.array_writer import ArrayWriter
from lipogram.grammars.json_schema.digits import DigitLimits, NumberWriter
from lipogram.grammars.json_schema.object_writer import ObjectWriter
from lipogram.grammars.json_schema.schemas import Schemas
from lipogram.grammars.json_schema.shapes import NO_NUMBERS, NO_TEXTS, Node, Shape
from lipogram.grammars.json_schema.text import Layout, Spelling

KeyOrder = Literal["schema", "any"]

MAX_RULES = 60_000
_TRUE, _FALSE, _NULL = ir.Literal(b"true"), ir.Literal(b"false"), ir.Literal(b"null")


class Writer:
    """Writes nodes as rules, each once."""

    def __init__(
        self,
        schemas: Schemas,
        layout: Layout,
        spelling: Spelling,
        limits: DigitLimits,
        key_order: KeyOrder,
    ) -> None:
        self.schemas = schemas
        self.layout = layout
        self.spelling = spelling
        self.rules: dict[str, ir.Expression] = {}
        self.numbers = NumberWriter(limits, self.rules)
        self._scalars: dict[ir.Expression, ir.Expression] = {}
        self._same_scalars: dict[int, ir.Expression] = {}
        self._written: dict[Node, ir.Expression] = {}
        self._pending: list[tuple[str, Shape]] = []
        self.arrays = ArrayWriter(self)
        self.objects = ObjectWriter(self, any_order=key_order == "any")
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
        written = self._written.get(of)
        if written is None:
            shape = self.schemas.shape(of)
            if shape.arrays or shape.objects:
                name = f"value {len(self._written)}"
                written = ir.Reference(name)
                self._pending.append((name, shape))
            else:
                written = self.scalar(self.shape(shape))
            self._written[of] = written
        return written

    def scalar(self, expression: ir.Expression) -> ir.Expression:
        """One rule for all places that have the same expression, so that they share its states."""
        if isinstance(expression, ir.Literal | ir.Reference) or expression == ir.NOTHING:
            return expression
        found = self._same_scalars.get(id(expression))  # to compare by content takes much longer
        if found is None:
            found = self._scalars.get(expression)
            if found is None:
                found = self._scalars[expression] = self.add("scalar", expression)
                self._same_scalars[id(expression)] = found
        return found

    def shape(self, shape: Shape) -> ir.Expression:
        """What stands for a member of the shape."""
        options: list[ir.Expression] = []
        options.extend([self.objects.write(cube) for cube in shape.objects])
        options.extend([self.arrays.write(cube) for cube in shape.arrays])
        if shape.strings != NO_TEXTS:
            options.append(self.scalar(self.spelling.string(shape.strings.expression)))
        if shape.numbers != NO_NUMBERS:
            options.append(self.scalar(self.numbers.write(shape.numbers)))
        if True in shape.booleans:
            options.append(_TRUE)
        if False in shape.booleans:
            options.append(_FALSE)
        if shape.null:
            options.append(_NULL)
        options = [option for option in options if option != ir.NOTHING]
        return options[0] if len(options) == 1 else ir.Choice(tuple(options))

    def add(self, what: str, body: ir.Expression) -> ir.Expression:
        """A new rule, referred to."""
        name = self.fresh(what)
        self.rules[name] = body
        return ir.Reference(name)

    def fresh(self, what: str) -> str:
        """A name for a family of rules."""
        self._added += 1
        return f"{what} {self._added}"
