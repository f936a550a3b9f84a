"""Classes of values that are never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(*, eq: bool = True) -> Callable[[type[Value]], type[Value]]:
    """A frozen dataclass with slots, as type checkers see it.

    When running, nothing keeps attributes from being set: to see to that makes values take three
    times as long to make, and reading a schema makes thousands.
    """
    return dataclass(slots=True, eq=eq, unsafe_hash=eq)
