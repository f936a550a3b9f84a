"""The command line: what it prints, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lipogram.server import cli

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    return int(caught.value.code or 0)


@pytest.mark.parametrize("command", [(), ("serve",), ("generate",), ("check",)])
def test_help_has_examples(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command, "--help") == 0
    assert "examples:\n  lipogram " in capsys.readouterr().out


def test_generate_obeys_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "person.json"
    file.write_text(json.dumps(SCHEMA))
    assert run("generate", "--schema", str(file), "Ada Lovelace is 36 years old.") == 0
    assert json.loads(capsys.readouterr().out).keys() == {"name", "age"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.lark", 'start: "a" | "b" start'),
        ("a.gbnf", 'root ::= "a" | "b" root'),
        ("a.json", '{"enum": ["a"]}'),
        ("a.regex", "b*a\n"),
    ],
)
def test_check_shows_members(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert run("check", str(file), "--samples", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "exact" in lines[0]
    assert lines[1].strip() in {"shortest: a", 'shortest: "a"'}
    assert len(lines) == 4


def test_check_takes_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pair.json"
    file.write_text(json.dumps(SCHEMA))
    options = ("--key-order", "any", "--whitespace", "compact", "--samples", "9")
    assert run("check", str(file), *options) == 0
    members = [line for line in capsys.readouterr().out.splitlines() if "member: " in line]
    orders = {tuple(json.loads(line.split(": ", 1)[1])) for line in members}
    assert orders == {("name", "age"), ("age", "name")}
    assert run("check", str(file), "--lexing", "greedy") == 1
    assert "json_schema has no option lexing" in capsys.readouterr().err


def test_check_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.lark"
    file.write_text('start: "a"\n  | (\n')
    assert run("check", str(file)) == 1
    assert f"{file}:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("check", "/nowhere.lark"), 1, "No such file"),
        (("check", "grammar.xyz"), 1, "expected a suffix"),
        (("generate", "--regex", "(", "x"), 1, "expected ')'"),
        (("generate", "--model", "nope", "x"), 1, "no model 'nope'"),
        (("serve", "--port", "70000"), 1, "port: expected"),
        (("serve", "--port", "x"), 2, "invalid int value"),
        (("bogus",), 2, "invalid choice"),
        ((), 2, "required"),
    ],
)
def test_refusals_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    assert run(*arguments) == status
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
