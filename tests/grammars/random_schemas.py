"""Small random schemas and values over a tiny domain, so that they often meet."""

import itertools
import json

STRINGS = ["", "a", "b", "ab", "ba", "abc"]
SCALARS = [None, True, False, 0, 1, -1, 2, 3, 4, 0.5, 1.5, -2.5, *STRINGS]
TYPES = ["integer", "string", "object", "array", "number", "null", "boolean"]
LEAVES = [True, False, {}, {"minimum": 1}, {"minLength": 1}, {"required": ["a"]}]
NAMES = [{"pattern": "^[ab]$"}, {"enum": ["a", "c"]}, {"maxLength": 0}, False, {"minLength": 1}]
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
NESTING = ("items", "contains", "additionalProperties", "not", "unevaluatedProperties",
           "unevaluatedItems")  # fmt: skip
KEYWORDS = (
    "type", "type", "enum", "const", "multipleOf", "pattern", "prefixItems", "contains+",
    "properties", "properties", "required", "patternProperties", "propertyNames",
    "dependentRequired", "dependentSchemas", "allOf", "anyOf", "oneOf", "if", "uniqueItems", "$ref",
    *BOUNDS, *COUNTS, *NESTING,
)  # fmt: skip


def value(chooser, depth=2):
    """A JSON value."""
    kind = chooser.random()
    if depth == 0 or kind < 0.4:
        return chooser.choice(SCALARS)
    if kind < 0.65:
        return [value(chooser, depth - 1) for _ in range(chooser.choice([0, 1, 1, 2, 3]))]
    names = sorted(chooser.sample("abcd", chooser.choice([0, 1, 1, 2, 2, 3])))
    return {name: value(chooser, depth - 1) for name in names}


DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def schema(chooser, dialect=DRAFT_2020):
    """A schema of a draft that may refer to a definition of its own, in keywords of any draft."""
    found = _schema(chooser, 2)
    if isinstance(found, dict):
        found["$schema"] = dialect
        found["$defs"] = {"x": _schema(chooser, 1)}
    if "draft-04" in dialect:
        # Draft 4 has these as booleans, and no booleans for schemas.
        whole = {"not": {}} if found is False else found if isinstance(found, dict) else {}
        found = _without(whole, ("exclusiveMinimum", "exclusiveMaximum", "items"))
    if "2019-09" in dialect:
        # Here `jsonschema` takes what contains has matched for evaluated, which only 2020-12 says,
        # and what schemas for all properties have looked at for unevaluated, which no draft says.
        found = _without(found, ("contains", "unevaluatedProperties"))
    return found


def _without(found, names):
    if isinstance(found, dict):
        return {name: _without(part, names) for name, part in found.items() if name not in names}
    return [_without(part, names) for part in found] if isinstance(found, list) else found


def _schema(chooser, depth):
    if depth <= 0:
        leaf = chooser.choice([*LEAVES, {"type": chooser.choice(TYPES)}])
        return leaf if chooser.random() < 0.7 else {"const": chooser.choice(SCALARS)}
    if chooser.random() < 0.06:
        return chooser.random() < 0.5
    found = {}
    for keyword in chooser.choices(KEYWORDS, k=chooser.choice([1, 1, 2, 2, 3])):
        found |= _keyword(chooser, keyword, depth - 1)
    return found


def _keyword(chooser, keyword, depth):
    def several(counts):
        return [_schema(chooser, depth) for _ in range(chooser.choice(counts))]

    pick = chooser.choice
    if keyword in BOUNDS:
        return {keyword: pick([0, 1, 2, -1, 0.5, 1.5, -0.5])}
    if keyword in COUNTS:
        return {keyword: pick([0, 1, 2, 3])}
    if keyword in NESTING:
        return {keyword: _schema(chooser, depth)}
    if keyword in ("allOf", "anyOf", "oneOf"):
        return {keyword: several([1, 2, 2, 3])}
    simple = {
        "type": lambda: pick([pick(TYPES), chooser.sample(TYPES, 2)]),
        "enum": lambda: [value(chooser, 1) for _ in range(pick([1, 2, 3]))],
        "const": lambda: value(chooser, 2),
        "multipleOf": lambda: pick([1, 2, 3, 0.5]),
        "pattern": lambda: pick(["a", "^a", "b$", "^(ab)*$", "^.?$"]),
        "prefixItems": lambda: several([1, 2]),
        "properties": lambda: {n: _schema(chooser, depth) for n in chooser.sample("abc", 2)},
        "required": lambda: chooser.sample("abcd", pick([1, 2])),
        "patternProperties": lambda: {
            n: _schema(chooser, depth) for n in chooser.sample(["^a", "b", "[ab]", "^d$"], 2)
        },
        "propertyNames": lambda: pick([*NAMES, {"not": {"const": "a"}}]),
        "dependentRequired": lambda: {pick("abc"): chooser.sample("abcd", 1)},
        "dependentSchemas": lambda: {pick("abc"): _schema(chooser, depth)},
        "uniqueItems": lambda: pick([True, False]),
        "$ref": lambda: "#/$defs/x",
    }
    if keyword in simple:
        return {keyword: simple[keyword]()}
    if keyword == "contains+":
        counts = {"minContains": pick([0, 1, 2]), "maxContains": pick([1, 2])}
        return {"contains": _schema(chooser, depth), **counts}
    branches = {"then": _schema(chooser, depth), "else": _schema(chooser, depth)}
    return {"if": _schema(chooser, depth), **branches}


def spellings(value):
    """Compact JSON texts of a value, one for each order of the keys of its objects."""
    if isinstance(value, list):
        for items in itertools.product(*map(spellings, value)):
            yield f"[{','.join(items)}]"
    elif isinstance(value, dict):
        for names in itertools.permutations(value):
            for items in itertools.product(*(spellings(value[name]) for name in names)):
                members = (f'"{name}":{item}' for name, item in zip(names, items, strict=True))
                yield f"{{{','.join(members)}}}"
    else:
        yield json.dumps(value)
