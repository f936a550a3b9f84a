"""Which keywords there are, and what is not one of them but was surely meant to be."""

from __future__ import annotations

from lipogram.grammars.json_schema.document import Place

_RESTRICTING = """
    $ref $dynamicRef $recursiveRef type enum const multipleOf maximum exclusiveMaximum minimum
    exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxContains
    minContains contains items prefixItems additionalItems maxProperties minProperties required
    dependentRequired dependentSchemas dependencies properties patternProperties
    additionalProperties propertyNames unevaluatedItems unevaluatedProperties allOf anyOf oneOf
    not if then else format
"""
_ORGANISING = """
    $schema $id id $anchor $dynamicAnchor $recursiveAnchor $vocabulary $comment $defs definitions
"""
_DESCRIBING = """
    title description default examples example readOnly writeOnly deprecated contentEncoding
    contentMediaType contentSchema
"""
ASSERTIONS = frozenset(_RESTRICTING.split())
KEYWORDS = ASSERTIONS | frozenset(_ORGANISING.split())
ANNOTATIONS = frozenset(_DESCRIBING.split())
# Of draft 3: these would restrict the values, and no later draft knows them.
RETIRED = {"divisibleBy": "multipleOf", "disallow": "not"}


def looks_like(keyword: str) -> str | None:
    """The keyword that restricts values and that this one is a misspelling of, if any."""
    if keyword in RETIRED:
        return RETIRED[keyword]
    if not keyword.isascii() or not keyword.isalpha():
        return None
    lowered = keyword.lower()
    for known in sorted(ASSERTIONS):
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


def structural(place: Place) -> None:
    """Raises GrammarError where the parts of a schema that only organise it are malformed."""
    for keyword in ("$defs", "definitions"):
        if not isinstance(place.value.get(keyword, {}), dict):
            raise place.error("an object of schemas", keyword)
