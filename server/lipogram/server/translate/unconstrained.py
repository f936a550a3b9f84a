"""What the client is told of a constraint that was dropped because no output fits its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from lipogram.server import errors
from lipogram.server.errors import GrammarRejected
from lipogram.server.wire.common import Unconstrained

Dropped: TypeAlias = Mapping[int, GrammarRejected]
"""Why sequences, by their index, are unconstrained after all."""


def unconstrained(rejected: GrammarRejected) -> Unconstrained:
    """The error as it would have been answered."""
    fault = errors.body(rejected)["error"]
    return Unconstrained(**{name: fault[name] for name in Unconstrained.model_fields})
