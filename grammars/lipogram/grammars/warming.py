"""Having the engine's compiled code, and tables that are made once, ready before anybody waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lipogram.grammars import formats, ir, json_schema, regex
from lipogram.grammars.automaton import Automaton, compile
from lipogram.grammars.engine.memory import keep_freed_memory

# A compiled function brings what it may call with it, so few expressions do.
_RULES: Mapping[str, ir.Expression] = {
    "start": ir.Sequence((ir.Literal(b"("), ir.Reference("inner"), ir.Literal(b")"))),
    "inner": ir.Choice((ir.Reference("start"), ir.Reference("text"))),
    "text": ir.Repeat(ir.ANY_CHAR, 1, 3),
}
# What schemas ask for most, with a text that meets most of what it can wait for.
_LIMITED = r"^(?=.{1,255}$)(.{1,63}\.){1,127}[a-z]{2,}$"
_COMMON: tuple[tuple[dict[str, Any], bytes], ...] = (
    ({}, b'{"a": ["b\\n", -1.5e3, true, null, {}],\n "c": {"d": "e", "f": 0}, "g": []}'),
    ({"type": "string", "format": "date-time"}, b'"2024-02-29T23:59:58.25+01:00"'),
    ({"type": "string", "format": "date"}, b'"2024-02-29"'),
    ({"type": "string", "format": "time"}, b'"23:59:58.25Z"'),
    ({"type": "string", "format": "email"}, b'"name.surname@mail.example.com"'),
    ({"type": "string", "format": "hostname"}, b'"www.example-host.com"'),
    ({"type": "string", "format": "ipv4"}, b'"192.168.0.1"'),
    ({"type": "string", "format": "ipv6"}, b'"2001:db8::8a2e:370:7334"'),
    (
        {"type": "string", "format": "uri"},
        b'"https://user@www.example.com:8080/path/to?q=a&b=%20#part"',
    ),
    ({"type": "string", "format": "uuid"}, b'"123e4567-e89b-12d3-a456-426614174000"'),
    ({"pattern": _LIMITED, "type": "string"}, b'"www.example.com"'),
)
_GRAMMARS = (
    ir.Grammar(_RULES, "start"),
    ir.Grammar(_RULES, "start", lexemes=frozenset({"text"})),
)


def warm_up() -> tuple[Automaton, ...]:
    """Load all code that automata run, or compile it: a minute on the first start ever.

    Unicode's classes and the formats of JSON Schema are worked out, too. Returns the automata that
    ran the code, with lexemes and without, for what reads automata to be warmed up in its turn;
    a text of each begins with "(".
    """
    keep_freed_memory()
    regex.parse(r"\w\s")
    for name in sorted(formats.NAMES):
        compile(json_schema.parse({"type": "string", "format": name}))
    return tuple(map(_visited, _GRAMMARS))


def _visited(grammar: ir.Grammar) -> Automaton:
    automaton = compile(grammar)
    state = automaton.walk(automaton.start(), b"(")
    assert state is not None
    automaton.next_bytes(state)
    automaton.shortest(state)
    automaton.forced(automaton.start())
    return automaton


def common() -> Iterator[tuple[Automaton, bytes]]:
    """What residuals of many schemas do: automata, each with a member to be walked byte by byte."""
    for schema, text in _COMMON:
        yield compile(json_schema.parse(schema)), text
