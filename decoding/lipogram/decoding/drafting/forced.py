"""What the grammar determines, as the tokenizer writes it.

Only a draft: the same bytes are spelled by several token strings, and which of them it is belongs
to the law. To inject one would change what comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lipogram.decoding.bytes.course import BYTES
from lipogram.decoding.drafting.base import Guess, Place
from lipogram.decoding.errors import Unspellable
from lipogram.decoding.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lipogram.decoding.job import Job

_INSIDE: Final = 0.95
_LAST: Final = 0.45  # what follows may belong to the same token
_BYTES_A_TOKEN: Final = 16  # read ahead


class Forced:
    """Drafts the text that every output has next."""

    name = "grammar"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def open(self, job: Job, prompt: Sequence[int]) -> Forced | None:
        """Runs have nothing to remember; without a rule nothing is determined."""
        if job.masker is None:
            return None
        return Forced(BYTES) if job.byte_mode == "full" else self

    async def propose(self, place: Place, most: int) -> list[Guess]:
        """See Guesses.propose."""
        text = place.course.forced()[: most * _BYTES_A_TOKEN]
        try:
            tokens = self._vocabulary.encode(text) if text else []
        except Unspellable:
            return []
        inside = [Guess(token, _INSIDE) for token in tokens[:-1]]
        return [*inside, *(Guess(token, _LAST) for token in tokens[-1:])][:most]
