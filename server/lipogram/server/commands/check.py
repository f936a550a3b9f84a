"""`lipogram check`: whether a grammar can be used, and what it means."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lipogram.grammars import special_tokens
from lipogram.server.commands.arguments import (
    SUFFIXES,
    Subparsers,
    add_command,
    add_options,
    options_of,
    read_source,
)
from lipogram.server.compile_messages import Failed, Task
from lipogram.server.compile_worker import perform
from lipogram.server.constraints import Constraint

_EXAMPLES = """\
examples:
  lipogram check grammar.lark
  lipogram check schema.json --samples 5
  lipogram check schema.json --key-order any
  lipogram check dates.txt --syntax regex
"""


def add(subparsers: Subparsers) -> None:
    """Declares the command."""
    parser = add_command(
        subparsers, "check", run, "check a schema, pattern or grammar, and show members", _EXAMPLES
    )
    parser.add_argument("file", type=Path, help=f"a file that ends in {', '.join(SUFFIXES)}")
    parser.add_argument("--syntax", choices=sorted(SUFFIXES.values()), help="if not by suffix")
    parser.add_argument("--samples", type=int, default=3, metavar="N", help="members to show")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="for the samples")
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report; returns 1 for a grammar that cannot be used."""
    source = read_source(arguments.file, arguments.syntax, options_of(arguments))
    outcome = perform(Task(Constraint(source), arguments.samples, arguments.seed))
    if isinstance(outcome, Failed):
        error = outcome.error
        place = f":{error.line}:{error.column}" if error.line is not None else ""
        where = f" (at {error.pointer or 'the root'})" if error.pointer is not None else ""
        print(f"{arguments.file}{place}: {error.message}{where}", file=sys.stderr)
        return 1
    report = outcome.grammar.report
    print(f"{arguments.file}: {'exact' if report.exact else 'narrowed'} ({outcome.syntax})")
    for title, lines in (("narrowed", report.narrowed), ("warning", report.warnings)):
        for line in lines:
            print(f"  {title}: {line}")
    print(f"  shortest: {_shown(outcome.shortest)}")
    for sample in outcome.samples:
        print(f"  member: {_shown(sample)}")
    return 0


def _shown(text: bytes) -> str:
    return special_tokens.shown(text).decode(errors="backslashreplace").replace("\n", "\\n")
