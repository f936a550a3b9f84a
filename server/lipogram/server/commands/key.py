"""`lipogram key`: a key for clients, and its hash for the server."""

from __future__ import annotations

import argparse
import sys

from lipogram.server.commands.arguments import Subparsers, add_command
from lipogram.server.keys import hash_of, new_key

_EXAMPLES = """\
examples:
  lipogram key                      a new key, and the lines that let it in
  lipogram key --name editor
  pass show lipogram | lipogram key --stdin

The key is shown once and kept nowhere. A file of `lipogram serve --config` has the hash.
"""


def add(subparsers: Subparsers) -> None:
    """Declares the command."""
    parser = add_command(subparsers, "key", run, "make an API key and its hash", _EXAMPLES)
    parser.add_argument("--name", default="key", help="what the log calls its holder")
    parser.add_argument(
        "--stdin", action="store_true", help="hash the key on standard input, make none"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints a table for the settings file, after the key if it is new; returns the status."""
    key = sys.stdin.readline().rstrip("\r\n") if arguments.stdin else new_key()
    hash = hash_of(key)
    if not arguments.stdin:
        print(f"# for the client, not for this file: {key}\n")
    name = arguments.name.replace("\\", "\\\\").replace('"', '\\"')
    print(f'[[api_keys]]\nname = "{name}"\nhash = "{hash}"')
    return 0
