"""API keys: made at random, kept as salted hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from lipogram.grammars.errors import Error

_SCHEME = "sha256"
_SALT_BYTES = 16
_LEAST_CHARACTERS = 20
_HASH = re.compile(rf"{_SCHEME}:[0-9a-f]{{{2 * _SALT_BYTES}}}:[0-9a-f]{{64}}")


class KeyRefused(Error):
    """A key or the hash of one cannot be used."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the server keeps it, and what its holder may do; None is no limit of its own.

    `name` stands in the log. `max_requests` may be inside at a time; a minute brings
    `requests_per_minute` and `tokens_per_minute` (generated ones), of which a minute's worth can
    be saved up.
    """

    name: str
    hash: str
    max_requests: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    @classmethod
    def parse(cls, text: str) -> ApiKey:
        """The key of this text, or the key whose hash this is; raises KeyRefused."""
        hash = text if text.startswith(f"{_SCHEME}:") else hash_of(text)
        check_hash(hash)
        return cls(f"key-{hash[-8:]}", hash)

    def opens(self, given: bytes) -> bool:
        """Whether this is the key. Cost: one SHA-256, whatever the answer."""
        _, salt, digest = self.hash.split(":")
        return hmac.compare_digest(_digest(bytes.fromhex(salt), given), digest)


def new_key() -> str:
    """A key that nobody can guess: 256 random bits."""
    return f"lg-{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    """The hash of a key, with a salt of its own.

    One round of SHA-256 is enough because keys are long and random, which a slow hash would be
    paid for at every request. Raises KeyRefused for a key that may be neither.
    """
    if len(key) < _LEAST_CHARACTERS or not key.isprintable() or " " in key:
        raise KeyRefused(
            f"an API key has at least {_LEAST_CHARACTERS} characters and no spaces;"
            " `lipogram key` makes one"
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{_SCHEME}:{salt.hex()}:{_digest(salt, key.encode())}"


def check_hash(hash: str) -> None:
    """Raises KeyRefused for what is no hash of `hash_of`'s."""
    if not _HASH.fullmatch(hash):
        raise KeyRefused("expected the hash of a key, as `lipogram key` prints it")


def _digest(salt: bytes, key: bytes) -> str:
    return hashlib.sha256(salt + key).hexdigest()
