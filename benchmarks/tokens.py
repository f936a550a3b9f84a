"""The tokens that all engines of a run share, as plain data."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Tokens:
    """`tokens[id]` is the token's bytes, b"" where it is special."""

    tokens: list[bytes]
    eos: int
    special_ids: list[int]

    @classmethod
    def load(cls, path: Path) -> Tokens:
        return cls(*pickle.loads(path.read_bytes()))

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps((self.tokens, self.eos, self.special_ids)))

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        return {token: id for id, token in enumerate(self.tokens) if token}

    def encode(self, text: str | bytes) -> list[int]:
        """Longest tokens first; for engines that want a tokenizer though they compute masks."""
        rest, ids = text.encode() if isinstance(text, str) else text, []
        while rest:
            length = next(n for n in range(min(len(rest), 64), 0, -1) if rest[:n] in self._ids)
            ids.append(self._ids[rest[:length]])
            rest = rest[length:]
        return ids
