"""What is compiled and read: schemas with instances, and context-free grammars with texts."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tokens import Tokens
from lipogram.decoding import Vocabulary
from lipogram.decoding.models import embedded
from lipogram.decoding.train import extraction

_PROJECT = Path(__file__).parents[1]
_PLACES = (
    Path(os.environ.get("LIPOGRAM_TEST_DATA", "/nonexistent")),
    _PROJECT.parent / "shared" / "data",
    _PROJECT / "shared" / "data",
)
EMBEDDED = "embedded-4k"


@dataclass(frozen=True)
class Case:
    """A grammar, and texts of which it should accept some and refuse others."""

    group: str
    kind: str
    source: Any
    texts: tuple[tuple[str, bool], ...]


def find(name: str) -> Path | None:
    """Public data that is not part of the project: LIPOGRAM_TEST_DATA, or shared/data nearby."""
    return next((place / name for place in _PLACES if (place / name).exists()), None)


def vocabulary(name: str) -> tuple[Tokens, Callable[[str], list[int]]]:
    """The tokens of this name, and how its tokenizer spells a text."""
    if name == EMBEDDED:
        own = embedded.load(name).vocabulary
        special = [id for id, token in enumerate(own.tokens) if not token]
        file = files(embedded) / "weights" / name / "tokenizer.json"
        tokens = Tokens(list(own.tokens), own.eos_ids[0], special, tokenizer_json=file.read_text())
        return tokens, lambda text: own.encode(text.encode())
    path = find(f"vocabularies/{name}.npz")
    if path is None:
        raise SystemExit(f"vocabularies/{name}.npz is not here; set LIPOGRAM_TEST_DATA")
    archive = np.load(path)
    data, offsets = archive["data"].tobytes(), archive["offsets"]
    meta = json.loads(archive["meta"].tobytes())
    special = archive["special_ids"].tolist()
    tokens = [data[begin:end] for begin, end in pairwise(offsets)]
    ranks = {token: id for id, token in enumerate(tokens) if token}
    names = {f"<special {id}>": id for id in special}
    own = Vocabulary.from_tiktoken(ranks, meta["pat_str"], names, (meta["eos"],))
    return Tokens(tokens, meta["eos"], special, meta["pat_str"]), lambda text: own.encode(
        text.encode()
    )


def cases(count: int, seed: int, transform: str | None) -> Iterator[Case]:
    """`count` schemas (real ones where there are any), then the context-free grammars."""
    for row in _schemas(count, seed):
        texts = tuple((spell(test["data"], transform), test["valid"]) for test in row["tests"])
        yield Case("JSON Schema", "json_schema", row["schema"], texts)
    for name, (grammar, text, wrong) in GRAMMARS.items():
        yield Case(name, "lark", grammar, ((text, True), (wrong, False)))


def _schemas(count: int, seed: int) -> list[dict[str, Any]]:
    path = find("jsonschemabench-dev.jsonl.gz")
    if path is None:
        drawn = islice(extraction.items(seed, held_out=True), count)
        return [{"schema": i.schema, "tests": [{"valid": True, "data": i.value}]} for i in drawn]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = sorted(map(json.loads, lines), key=lambda row: row["name"] + ".json")
    random.Random(seed).shuffle(rows)
    return [row for row in rows if any(test["valid"] for test in row["tests"])][:count]


def spell(value: Any, transform: str | None) -> str:
    """JSON text as `json.dumps` writes it, or in one of the other ways that people write it."""
    if transform == "shuffle":
        value = _shuffled(value, random.Random(json.dumps(value, sort_keys=True)))
    text = json.dumps(
        value,
        ensure_ascii=transform == "ascii",
        indent=2 if transform == "indent" else None,
        separators=(",", ":") if transform == "compact" else None,
    )
    has_surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return json.dumps(value) if has_surrogates else text


def _shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: _shuffled(value[key], rng) for key in keys}
    return [_shuffled(item, rng) for item in value] if isinstance(value, list) else value


_JSON = r"""
start: value
value: object | array | STRING | NUMBER | "true" | "false" | "null"
object: "{" [pair ("," pair)*] "}"
pair: STRING ":" value
array: "[" [value ("," value)*] "]"
STRING: /"([^"\\\x00-\x1f]|\\(["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/
NUMBER: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/
%ignore /[ \t\r\n]+/
"""
_ARITHMETIC = r"""
start: sum
sum: product | sum "+" product | sum "-" product
product: power | product "*" power | product "/" power
power: unary ["**" power]
unary: "-" unary | atom
atom: NUMBER | NAME | NAME "(" [sum ("," sum)*] ")" | "(" sum ")"
NAME: /[a-z_][a-z0-9_]*/
NUMBER: /[0-9]+(\.[0-9]+)?/
%ignore / +/
"""
_SQL = r"""
start: query [";"]
query: "SELECT" ["DISTINCT"] columns "FROM" table join* ["WHERE" test] [grouping] [ordering]
columns: "*" | column ("," column)*
column: value ["AS" NAME]
table: NAME [NAME] | "(" query ")" NAME
join: ["LEFT" | "INNER"] "JOIN" table "ON" test
grouping: "GROUP" "BY" value ("," value)* ["HAVING" test]
ordering: "ORDER" "BY" value ["DESC"] ("," value ["DESC"])* ["LIMIT" NUMBER]
test: conjunction | test "OR" conjunction
conjunction: comparison | conjunction "AND" comparison
comparison: "NOT" comparison | "(" test ")" | value COMPARES value | value "IS" ["NOT"] "NULL"
    | value "IN" "(" value ("," value)* ")" | value "BETWEEN" value "AND" value
value: factor | value "+" factor | value "-" factor
factor: atom | factor "*" atom | factor "/" atom
atom: NAME ["." NAME] | NAME "(" ("*" | value ("," value)*) ")" | NUMBER | TEXT | "(" value ")"
COMPARES: "=" | "<>" | "<=" | ">=" | "<" | ">"
NAME: /[a-z_][a-z0-9_]*/
NUMBER: /[0-9]+(\.[0-9]+)?/
TEXT: /'([^'\n]|'')*'/
%ignore /[ \t\r\n]+/
"""
_C = r"""
start: function+
function: type NAME "(" [parameter ("," parameter)*] ")" block
parameter: type NAME
type: ["const"] ("int" | "char" | "double" | "void") "*"*
block: "{" statement* "}"
statement: block | type NAME ["[" sum "]"] ["=" assignment] ";" | assignment ";"
    | "return" [assignment] ";"
    | "if" "(" assignment ")" statement ["else" statement] | "while" "(" assignment ")" statement
    | "for" "(" [type] assignment ";" assignment ";" assignment ")" statement
assignment: either | unary ("=" | "+=" | "-=") assignment
either: both | either "||" both
both: comparison | both "&&" comparison
comparison: sum | comparison ("==" | "!=" | "<" | ">" | "<=" | ">=") sum
sum: product | sum ("+" | "-") product
product: unary | product ("*" | "/" | "%") unary
unary: postfix | ("-" | "!" | "*" | "&" | "++") unary
postfix: atom | postfix "[" assignment "]" | postfix "++"
    | postfix "(" [assignment ("," assignment)*] ")"
atom: NAME | NUMBER | TEXT | "(" assignment ")"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /[0-9]+(\.[0-9]+)?/
TEXT: /"([^"\\\n]|\\.)*"/
%ignore /[ \t\r\n]+/
%ignore /\/\/[^\n]*/
"""
_ORDER = {
    "order": 4711,
    "customer": {"name": "Zoë Müller", "e-mail": "zoe@example.org", "since": None},
    "lines": [{"item": 'tea, "green"', "grams": 250, "price": 7.5, "tags": ["loose", "bio"]}] * 3,
    "paid": True,
    "rate": -1.25e-3,
    "notes": "leave at\nthe door — no later than 18:00",
}
_FORMULA = "(a1 + 3.5 * rate) ** 2 / max(width - 2 * margin, -f(g(x, y), 7)) - (100 - offset) * 12"
_QUERY = """SELECT DISTINCT o.id, c.name AS customer, sum(l.price * l.count) AS total
FROM orders o JOIN customers c ON c.id = o.customer_id
LEFT JOIN (SELECT order_id, price, count FROM lines WHERE price > 0.5) l ON l.order_id = o.id
WHERE o.state IN ('paid', 'sent') AND (c.country = 'it''s here' OR NOT o.total BETWEEN 10 AND 99)
AND o.cancelled_at IS NULL GROUP BY o.id, c.name HAVING count(*) >= 3
ORDER BY total DESC, customer LIMIT 50;"""
_PROGRAM = r"""int zero() { return 0; } // the least of all
int longest(const int *numbers, int count) {
    int best = 0;
    int length = 0;
    return best;
}
int main() {
    int numbers[100];
    double mean = 0.0;
    for (int i = 0; i < 100; i++) { numbers[i] = (i * 7 + 3) % 11; mean += numbers[i]; }
    if (mean / 100 > 4.5 && !(numbers[3] == 2 || numbers[4] != 9)) {
        printf("%d of %s\n", longest(numbers, 100), "numbers");
    } else while (mean >= 1) mean = mean / 2 - -0.25;
    return 0;
}"""
GRAMMARS = {
    "JSON": (_JSON, json.dumps(_ORDER, ensure_ascii=False, indent=2), '{"a": 01}'),
    "arithmetic": (_ARITHMETIC, _FORMULA, "1 + * 2"),
    "SQL-like": (_SQL, _QUERY, "SELECT a FROM WHERE b = 1"),
    "C-like": (_C, _PROGRAM, "int main() { return 1 }"),
}
