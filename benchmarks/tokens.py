"""The tokens that all engines of a run share, as plain data."""

from __future__ import annotations

import pickle
from dataclasses import astuple, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tokens:
    """`tokens[id]` is the token's bytes, b"" where it is special.

    Engines that spell forced text themselves need the tokenizer too: either the `pattern` that
    splits text before pairs are merged in the order of their ids, or the text of a tokenizer.json.
    """

    tokens: list[bytes]
    eos: int
    special_ids: list[int]
    pattern: str = ""
    tokenizer_json: str = ""

    @classmethod
    def load(cls, path: Path) -> Tokens:
        return cls(*pickle.loads(path.read_bytes()))

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(astuple(self)))
