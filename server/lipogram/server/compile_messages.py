"""What the server and its compile workers say to each other: pickles behind their length."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

from lipogram.grammars import ir
from lipogram.grammars.errors import GrammarError
from lipogram.grammars.json_schema import KeyOrder
from lipogram.server.constraints import Constraint, Place

HEADER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Task:
    """Parse and compile this, and draw members of it; `key_order` is for schemas without one.

    With `place`, all that is about what stands there in a member.
    """

    constraint: Constraint
    samples: int = 0
    seed: int = 0
    key_order: KeyOrder = "schema"
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """The grammar can be used; `seconds` is what parsing, compiling and drawing took."""

    grammar: ir.Grammar
    syntax: str
    shortest: bytes
    samples: tuple[bytes, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot, and which of the constraint's sources is to blame (0 where it is all of them)."""

    error: GrammarError
    source: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A worker's answer; `is_worn`: it has grown so much that it should do no other task."""

    outcome: Compiled | Failed
    is_worn: bool


def encode(message: object) -> bytes:
    """A message as it is sent."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(HEADER_BYTES, "big") + data


def length(header: bytes) -> int:
    """The number of bytes that follow a header."""
    return int.from_bytes(header, "big")


def decode(data: bytes) -> object:
    """The message in these bytes, which must come from our own process or its worker."""
    message: object = pickle.loads(data)
    return message
