"""Which keywords the drafts have, and what is not one of them but was surely meant to be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lipogram.grammars.immutable import immutable

_SINCE_DRAFT_4 = """
    $ref type enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength
    pattern maxItems minItems uniqueItems items additionalItems maxProperties minProperties
    required dependencies properties patternProperties additionalProperties allOf anyOf oneOf not
    format
"""
_ADDED = {
    6: "const contains propertyNames",
    7: "if then else contentEncoding contentMediaType",
    2019: """$recursiveRef dependentRequired dependentSchemas unevaluatedItems
             unevaluatedProperties minContains maxContains""",
    2020: "$dynamicRef prefixItems",
}
_REMOVED = {2020: "additionalItems $recursiveRef"}
_ORGANISING = """
    $schema $id id $anchor $dynamicAnchor $recursiveAnchor $vocabulary $comment $defs definitions
"""
_DESCRIBING = """
    title description default examples example readOnly writeOnly deprecated contentEncoding
    contentMediaType contentSchema
"""
ANNOTATIONS = frozenset(_ORGANISING.split()) | frozenset(_DESCRIBING.split())
# Of draft 3: these would restrict the values, and no later draft knows them.
_RETIRED = {"divisibleBy": "multipleOf", "disallow": "not"}
_VOCABULARIES = {
    "core": "$ref $dynamicRef $recursiveRef",
    "applicator": """prefixItems items additionalItems contains additionalProperties properties
        patternProperties dependentSchemas dependencies propertyNames if then else allOf anyOf
        oneOf not""",
    "unevaluated": "unevaluatedItems unevaluatedProperties",
    "validation": """type const enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum
        maxLength minLength pattern maxItems minItems uniqueItems maxContains minContains
        maxProperties minProperties required dependentRequired""",
    "meta-data": "",
    "format": "format",
    "format-annotation": "format",
    "format-assertion": "format",
    "content": "contentEncoding contentMediaType",
}
_BASES = ("https://json-schema.org/draft/2019-09/vocab/",
          "https://json-schema.org/draft/2020-12/vocab/")  # fmt: skip


@immutable(eq=False)
class Dialect:
    """A draft and those of its keywords that count; draft 0: none declared, all are understood."""

    draft: int
    keywords: frozenset[str]


@lru_cache(maxsize=8)
def of_draft(draft: int) -> Dialect:
    """A draft with all of its keywords."""
    found = set(_SINCE_DRAFT_4.split())
    for added, keywords in _ADDED.items():
        if draft == 0 or added <= draft:
            found |= set(keywords.split())
    for removed, keywords in _REMOVED.items():
        if draft >= removed:
            found -= set(keywords.split())
    return Dialect(draft, frozenset(found))


def restricted(dialect: Dialect, vocabularies: Mapping[str, Any]) -> Dialect | str:
    """A dialect with the keywords of some vocabularies only; what is not known but required."""
    found: set[str] = set()
    for uri, required in vocabularies.items():
        base = next((base for base in _BASES if uri.startswith(base)), None)
        keywords = _VOCABULARIES.get(uri.removeprefix(base)) if base else None
        if keywords is not None:
            found |= set(keywords.split())
        elif required:
            return uri
    return Dialect(dialect.draft, dialect.keywords & found)


EVERY_DRAFT = of_draft(0)


@lru_cache(maxsize=1024)
def looks_like(keyword: str) -> str | None:
    """The keyword that restricts values and that this one is a misspelling of, if any."""
    if keyword in _RETIRED:
        return _RETIRED[keyword]
    if not keyword.isascii() or not keyword.isalpha():
        return None
    lowered = keyword.lower()
    for known in sorted(EVERY_DRAFT.keywords):
        if lowered == known.lower():
            return known
        if len(known) > 5 and abs(len(known) - len(lowered)) <= 1 and _one_off(lowered, known):
            return known
    return None


def _one_off(word: str, known: str) -> bool:
    """Whether one letter more, less, or different makes the word the keyword."""
    known = known.lower()
    shared = 0
    while shared < min(len(word), len(known)) and word[shared] == known[shared]:
        shared += 1
    rest, known_rest = word[shared:], known[shared:]
    return (
        rest[1:] == known_rest[1:]
        or rest == known_rest[1:]
        or rest[1:] == known_rest
        or (rest[:2] == known_rest[1::-1] and rest[2:] == known_rest[2:])
    )
