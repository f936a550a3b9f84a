"""What the subcommands share about arguments."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lipogram.grammars.errors import Error
from lipogram.server.constraints import Source, Syntax

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


def read_source(path: Path, syntax: Syntax | None = None) -> Source:
    """The grammar in a file, whose suffix tells its syntax unless that is given."""
    if syntax is None and path.suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path}: expected a suffix of {known}, or --syntax")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    syntax = syntax or SUFFIXES[path.suffix]
    if syntax == "json_schema":
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: expected JSON: {error}") from None
    return Source(syntax, text.rstrip("\n") if syntax == "regex" else text, param=str(path))
