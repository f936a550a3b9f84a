"""The Lark grammars that come with lipogram, each held to a parser of its language."""

import ast
import json
import random
import re
import sqlite3
from importlib.resources import files

import pytest

from lipogram.grammars import compile, lark

GRAMMARS = {
    name: compile(
        lark.parse(files("lipogram.grammars").joinpath("library", f"{name}.lark").read_text())
    )
    for name in ("json", "arithmetic", "sql")
}

MEMBERS = {
    "json": [
        '{"a": [1, -2.5e+3, true, null],\n "\\u00e9": {"é": ""}}',
        "[]",
        " ".join("[[]]"),
        "0",
    ],
    "arithmetic": ["1+2*3", "-(a % b) ** -2", "f(1, g(), x_1) / 0.5", "0"],
    "sql": [
        "SELECT * FROM t",
        "SELECT a, b.c AS d, count(*) FROM t LEFT JOIN u ON t.a = u.b WHERE a IN (1, 2) AND NOT "
        "b LIKE 'x''y' GROUP BY a, b HAVING count(DISTINCT a) > 3 ORDER BY a DESC, b LIMIT 5",
        "SELECT CASE WHEN a IS NULL THEN 1 ELSE 2.5 END FROM (SELECT * FROM t) AS u",
        "SELECT (a+b)*2 FROM t WHERE (a=1 OR b <= 2) AND EXISTS (SELECT * FROM t) LIMIT 1 OFFSET 2",
        "SELECT froms FROM t WHERE a BETWEEN 1 AND b+1 AND c NOT IN (SELECT d FROM u)",
    ],
}
OTHERS = {
    "json": ["", "{a:1}", "[1,]", "01", '"\n"', '"\\x"', "[1 2]", "tru"],
    "arithmetic": ["", "1+", "1 2", "f(,)", "()", "a**", "01", "1."],
    "sql": ["SELECTa FROM t", "SELECT FROM t", "SELECT from FROM t", "SELECT a FROM t;", ""],
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_examples(name):
    texts = MEMBERS[name] + OTHERS[name]
    assert [t for t in texts if GRAMMARS[name].accepts(t.encode())] == MEMBERS[name]


def _random_member(name: str, chance: random.Random, length: int) -> str:
    automaton = GRAMMARS[name]
    state, text = automaton.start(), bytearray()
    while len(text) < length:
        if automaton.is_complete(state) and chance.random() < 0.1:
            return text.decode()
        following = automaton.next_bytes(state)
        if not following:
            break
        text.append(chance.choice(sorted(following)))
        state = automaton.step(state, text[-1])
    return (bytes(text) + automaton.shortest(state)).decode()


def test_json_members_are_json():
    chance = random.Random(1)
    for _ in range(150):
        json.loads(_random_member("json", chance, 40))


def test_arithmetic_members_are_python():
    chance = random.Random(1)
    for _ in range(150):
        ast.parse(_random_member("arithmetic", chance, 40), mode="eval")


def _sqlite_error(database: sqlite3.Connection, text: str) -> str:
    try:
        database.execute("EXPLAIN " + text)
    except sqlite3.Error as error:
        return str(error)
    return ""


def test_sql_members_parse_in_sqlite():
    """Unknown tables, columns and functions are errors of meaning: the syntax was read."""
    chance = random.Random(1)
    database = sqlite3.connect(":memory:")
    for _ in range(150):
        member = _random_member("sql", chance, 60)
        message = _sqlite_error(database, member)
        assert not re.search("syntax|unrecognized|incomplete", message), (member, message)


def test_members_of_json_are_accepted():
    chance = random.Random(3)

    def value(depth: int) -> object:
        if depth and chance.random() < 0.6:
            items = [value(depth - 1) for _ in range(chance.randrange(4))]
            return items if chance.random() < 0.5 else {str(item)[:9]: item for item in items}
        return chance.choice([None, True, 0, -1.5, 1e99, "", 'é"\\\n\x7f😀'])

    for _ in range(60):
        document = value(4)
        indent = chance.choice([None, 0, 2])
        text = json.dumps(document, indent=indent, ensure_ascii=chance.random() < 0.5)
        assert GRAMMARS["json"].accepts(text.encode()), text
