"""Front-end for a plain list of allowed texts."""

from __future__ import annotations

from collections.abc import Sequence

from lipogram.grammars.errors import EmptyLanguage, GrammarError
from lipogram.grammars.ir import Grammar, Literals


def parse(texts: Sequence[str | bytes]) -> Grammar:
    """The language of exactly these texts; strings are taken as UTF-8.

    Raises GrammarError for an entry that is not text (pointer: its index), EmptyLanguage for none.
    """
    members: dict[bytes, None] = {}
    for index, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise GrammarError(
                f"expected a string, found {type(text).__name__}", pointer=f"/{index}"
            )
        try:
            members[text.encode() if isinstance(text, str) else text] = None
        except UnicodeEncodeError as error:
            raise GrammarError(
                "expected text, found an unpaired surrogate", pointer=f"/{index}"
            ) from error
    if not members:
        raise EmptyLanguage("expected at least one choice, found none", pointer="")
    return Grammar({"start": Literals(tuple(members))}, "start")
