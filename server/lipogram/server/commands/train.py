"""`lipogram train`: reproduce the embedded models."""

from __future__ import annotations

import argparse

from lipogram.server.commands.arguments import InputError, Subparsers


def add(subparsers: Subparsers) -> None:
    """Declares the command, whose arguments are the trainer's own."""
    parser = subparsers.add_parser(
        "train", help="train the embedded models again (needs the train extra)", add_help=False
    )
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Hands over to the trainer."""
    try:
        from lipogram.decoding.train.main import main
    except ModuleNotFoundError as error:
        raise InputError(
            f"training needs the package {error.name!r}: pip install 'lipogram[train]'"
        ) from None
    main(arguments.rest)
    return 0
