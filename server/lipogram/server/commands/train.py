"""`lipogram train`: reproduce the embedded models."""

from __future__ import annotations

from collections.abc import Sequence

from lipogram.server.commands.arguments import InputError, Subparsers


def add(subparsers: Subparsers) -> None:
    """Lists the command; its arguments are the trainer's own, so `hand_over` reads them."""
    subparsers.add_parser("train", help="train an embedded model again (needs the train extra)")


def hand_over(arguments: Sequence[str]) -> int:
    """Runs the trainer."""
    try:
        from lipogram.decoding.train.main import main
    except ModuleNotFoundError as error:
        raise InputError(
            f"training needs the package {error.name!r}: pip install 'lipogram[train]'"
        ) from None
    main(list(arguments))
    return 0
