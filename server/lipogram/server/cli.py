"""The `lipogram` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from lipogram.grammars.errors import Error
from lipogram.server.commands import check, generate, key, serve, train

_EXAMPLES = """\
examples:
  lipogram serve
  lipogram generate --schema person.json "Ada Lovelace is 36 years old."
  lipogram check grammar.lark
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a subcommand and exits: 0 for success, 1 for failure, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="lipogram",
        description="Text that obeys a JSON Schema, regex or grammar, from any model.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("lipogram"))
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (serve, generate, check, key, train):
        command.add(subparsers)
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if words[:1] == ["train"]:
            sys.exit(train.hand_over(words[1:]))
        given = parser.parse_args(words)
        sys.exit(given.run(given))
    except Error as error:
        print(f"lipogram: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
