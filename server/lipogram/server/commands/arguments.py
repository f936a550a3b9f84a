"""What the subcommands share about arguments."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, get_args

from lipogram.grammars.errors import Error
from lipogram.grammars.json_schema import Escapes, Formats, KeyOrder, Whitespace
from lipogram.server.constraints import Lexing, Options, Source, Syntax

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Subparsers = object

SUFFIXES: dict[str, Syntax] = {
    ".json": "json_schema",
    ".lark": "lark",
    ".gbnf": "gbnf",
    ".regex": "regex",
}


class InputError(Error):
    """A file or an argument of a command cannot be used."""


def add_command(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    """A subcommand with a summary and examples in its help."""
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the front-ends."""
    for flag, kind, text in (
        ("--key-order", KeyOrder, "order of JSON keys"),
        ("--escapes", Escapes, "spelling of JSON strings"),
        ("--whitespace", Whitespace, "whitespace between JSON tokens"),
        ("--formats", Formats, "what a schema's formats do"),
        ("--lexing", Lexing, "how a Lark grammar's terminals divide a text"),
    ):
        parser.add_argument(flag, choices=get_args(kind), help=text)


def options_of(arguments: argparse.Namespace) -> Options:
    """The options that were given."""
    return Options(**{option.name: getattr(arguments, option.name) for option in fields(Options)})


def read_source(path: Path, syntax: Syntax | None, options: Options) -> Source:
    """The grammar in a file, whose suffix tells its syntax unless that is given."""
    if syntax is None and path.suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path}: expected a suffix of {known}, or --syntax")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    syntax = syntax or SUFFIXES[path.suffix]
    foreign = options.foreign(syntax)
    if foreign is not None:
        raise InputError(f"{path}: {syntax} has no option {foreign}")
    if syntax == "json_schema":
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: expected JSON: {error}") from None
    definition = text.rstrip("\n") if syntax == "regex" else text
    return Source(syntax, definition, options, param=str(path))
