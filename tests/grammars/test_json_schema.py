"""What JSON Schemas mean, keyword by keyword, with `jsonschema` as the judge of values."""

import itertools
import json
import random
import time
from pathlib import Path

import jsonschema
import pytest

from lipogram.grammars import (
    BudgetExceeded,
    EmptyLanguage,
    GrammarError,
    Unsupported,
    compile,
    json_schema,
)

# One JSON object a line: a schema, and values of which the judge says which are valid.
CASES = [
    (case["schema"], case["values"])
    for case in map(
        json.loads,
        (Path(__file__).parents[1] / "data" / "json_schema_values.jsonl")
        .read_text(encoding="utf-8")
        .splitlines(),
    )
]
# In the order of the schema, and spelled in one of the ways of json.dumps.
SPELLINGS = [
    {},
    {"separators": (",", ":")},
    {"indent": 2},
    {"indent": 4},
    {"indent": "\t"},
    {"separators": (", ", ":")},
]


def automaton_of(schema, **options):
    return compile(json_schema.parse(schema, **options))


@pytest.mark.parametrize(("schema", "values"), CASES, ids=lambda part: json.dumps(part)[:50])
def test_values(schema, values):
    default = jsonschema.Draft202012Validator
    judge = jsonschema.validators.validator_for(schema, default=default)(schema)
    automaton = automaton_of(schema)
    for value in values:
        text = json.dumps(value, ensure_ascii=False).encode()
        assert automaton.accepts(text) == judge.is_valid(value), value


@pytest.mark.parametrize("options", SPELLINGS, ids=str)
def test_bounded_whitespace_takes_the_usual_spellings(options):
    automaton = automaton_of(True)
    for value in ([], {}, [1, [2, {}]], {"a": {"b": [1, {"c": None}]}, "d": []}):
        assert automaton.accepts(json.dumps(value, **options).encode())


@pytest.mark.parametrize("text", [" 1", "1 ", "[1,  2]", "[1 ,2]", "[\n\n1]", f"[\n{' ' * 40}1]"])
def test_whitespace_is_bounded(text):
    assert not automaton_of(True).accepts(text.encode())


def test_other_whitespace():
    assert automaton_of(True, whitespace="compact").accepts(b'{"a":[1,2]}')
    assert not automaton_of(True, whitespace="compact").is_live(b'{"a": ')
    fixed = automaton_of({"const": {"a": [1, 2]}}, whitespace="spaced")
    assert fixed.forced(fixed.start()) == b'{"a": [1, 2]}'
    with pytest.raises(GrammarError, match="bounded, spaced or compact"):
        json_schema.parse(True, whitespace="none")


def test_strings_have_one_spelling():
    automaton = automaton_of({"type": "string"})
    for text in ('"a/é😀"', '"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f"', '"\x7f"'):
        assert automaton.accepts(text.encode())
    for text in ('"\\/"', '"\\u0061"', '"\\u001F"', '"\\u000a"', '"\n"', '"\\x"'):
        assert not automaton.accepts(text.encode())
    assert not automaton.is_live(b'"\xff')


# By turns plain, and in every escape that JSON has for the character.
EVERY_WAY = {
    "a": ["a", "\\u0061"],
    "/": ["/", "\\/", "\\u002f", "\\u002F"],
    '"': ['\\"', "\\u0022"],
    "\n": ["\\n", "\\u000a", "\\u000A"],
    "é": ["é", "\\u00e9", "\\u00E9"],
    "\uffff": ["\uffff", "\\uffff", "\\uFfFf"],
    "😀": ["😀", "\\ud83d\\ude00", "\\uD83D\\uDE00"],
    "\U0010ffff": ["\U0010ffff", "\\udbff\\udfff"],
}


@pytest.mark.parametrize(
    ("schema", "is_valid"),
    [
        ({"type": "string", "maxLength": 1}, lambda text: True),
        ({"minLength": 2, "type": "string"}, lambda text: False),
        ({"pattern": "^[a-z/\\n]$", "type": "string"}, lambda text: text in "a/\n"),
        ({"pattern": "[^\\u0000-\\uffff]", "type": "string"}, lambda text: ord(text) > 0xFFFF),
        ({"enum": ["a", "é", "😀"]}, lambda text: text in "aé😀"),
        ({"not": {"enum": ["a", "é", "😀"]}}, lambda text: text not in "aé😀"),
        ({"type": "string", "not": {"pattern": "[\\n-é]"}}, lambda text: text not in 'a/"\né'),
    ],
    ids=str,
)
def test_any_escapes_mean_what_they_spell(schema, is_valid):
    automaton = automaton_of(schema, escapes="any")
    for text, ways in EVERY_WAY.items():
        for way in ways:
            assert json.loads(f'"{way}"') == text
            assert automaton.accepts(f'"{way}"'.encode()) == is_valid(text), way
    for wrong in ("\\x61", "\\u061", "\\ud83d", "\\ude00", "\\ud83d\\u0061", "\n", "\\'"):
        assert not automaton.accepts(f'"{wrong}"'.encode())


def test_declared_names_in_any_spelling_are_the_declared_ones():
    schema = {"properties": {"a/b": {"const": 1}, "é": {"const": 2}}, "required": ["é"]}
    automaton = automaton_of(schema, escapes="any")
    for text in ('{"\\u0061\\/b":1,"\\u00E9":2}', '{"é":2,"\\u0061":3}'):
        assert automaton.accepts(text.encode())
    for text in ('{"\\u00e9":2,"\\u0061\\u002Fb":3}', '{"\\u00e9":3}', '{"é":2,"\\u00e9":2}'):
        assert not automaton.accepts(text.encode())
    with pytest.raises(GrammarError, match="canonical or any"):
        json_schema.parse(schema, escapes="all")


def test_any_order_still_asks_for_each_key_once():
    schema = {"properties": {"a": {}, "b": {}, "c": {}}, "required": ["c", "d"]}
    automaton = automaton_of(schema, key_order="any")
    for text in (b'{"d":1,"c":1}', b'{"x":0,"c":1,"b":1,"y":0,"d":1,"a":1}'):
        assert automaton.accepts(text)
    for text in (b'{"c":1}', b'{"c":1,"d":1,"c":1}', b'{"c":1,"d":1,"d":1}', b'{"c":1,"a":1,"a":1'):
        assert not automaton.accepts(text)
    with pytest.raises(GrammarError, match="schema or any"):
        json_schema.parse(schema, key_order="sorted")


def test_declared_names_cannot_be_spelled_otherwise():
    automaton = automaton_of({"properties": {"a": {"const": 1}}})
    assert not automaton.is_live(b'{"\\u0061')
    assert not automaton.accepts(b'{"a":2}')
    assert not automaton.accepts(b'{"a":1,"a":1}')


def test_duplicate_names_do_not_count_twice():
    closed = {"properties": {"a": {}, "b": {}}, "minProperties": 2, "additionalProperties": False}
    assert not automaton_of(closed).accepts(b'{"a":1,"a":1}')


@pytest.mark.parametrize("key_order", ["schema", "any"])
def test_properties_that_have_to_come_have_different_names(key_order):
    schema = {"properties": {"a": {}}, "minProperties": 3, "maxProperties": 4}
    grammar = json_schema.parse(schema, key_order=key_order)
    assert any("names differ" in entry for entry in grammar.report.narrowed)
    automaton = compile(grammar)
    for text in (b'{"x":1,"y":2,"z":3}', b'{"a":1,"name":2,"id":3}', b'{"a":1,"b":2,"c":3,"d":4}'):
        assert automaton.accepts(text)
    for text in (b'{"x":1,"x":2,"z":3}', b'{"a":1,"b":2,"b":3}', b'{"a":1,"b":2}'):
        assert not automaton.accepts(text)
    assert not automaton.accepts(b'{"a":1,"b":2,"c":3,"d":4,"e":5}')


def test_items_of_known_values_are_unique_however_many():
    values = [f"value {index}" for index in range(300)]
    schema = {"items": {"enum": [*values, 1, 1.0, True]}, "uniqueItems": True, "minItems": 2}
    automaton = automaton_of({**schema, "maxItems": 40})
    assert automaton.accepts(json.dumps(values[39::-1]).encode())
    assert automaton.accepts(b'[1, true, "value 7"]')
    assert not automaton.is_live(json.dumps(values[:41])[:-1].encode())
    for text in (b'["value 7"]', b'["value 7", 1, "value 7"]', b"[1, 1]", b"[1, 1.0]"):
        assert not automaton.accepts(text)


@pytest.mark.parametrize(
    ("items", "taken"),
    [
        ({"type": "string"}, ["src", "docs", "é", "日本", "", 'a"b']),
        ({"type": "string", "minLength": 2, "pattern": "^[a-z]+$"}, ["ab", "src", "docs"]),
        ({"type": "integer"}, [0, 1, -1, 443, 8080]),
        ({"type": "number"}, [0, 2.5, -3.25, 1000]),
        ({"type": "integer", "multipleOf": 7}, [14]),
        ({}, [None, True, False, 1, "a", [1, 1], {"a": 1}]),
    ],
    ids=str,
)
def test_unique_items_of_unknown_values(items, taken):
    grammar = json_schema.parse({"items": items, "type": "array", "uniqueItems": True})
    assert not grammar.report.exact
    automaton = compile(grammar)
    assert automaton.accepts(json.dumps(taken, ensure_ascii=False).encode())
    for value in taken:
        assert not automaton.accepts(json.dumps([value, value], ensure_ascii=False).encode())
    assert not automaton.accepts(b"[1, 1.0]")
    assert not automaton.accepts(b"[0, -0]")


@pytest.mark.parametrize("key_order", ["schema", "any"])
def test_unique_objects_differ_in_a_property_that_all_have(key_order):
    named = {"properties": {"on": {}, "name": {"type": "string"}}, "required": ["name"]}
    kinds = {"properties": {"kind": {"enum": ["a", "b", "c"]}}, "required": ["kind"]}
    for items, taken, repeated in (
        (named, [{"name": "petId"}, {"on": 1, "name": "limit"}], [{"name": "x"}, {"name": "x"}]),
        (kinds, [{"kind": k} for k in "cab"], [{"kind": "a"}, {"kind": "b"}, {"kind": "a"}]),
        ({}, [{"a": 1}], [{"a": 1}, {"a": 1}]),
    ):
        schema = {"items": {"type": "object", **items}, "type": "array", "uniqueItems": True}
        grammar = json_schema.parse(schema, key_order=key_order)
        assert any("objects differ" in n or "at most one is an object" in n
                   for n in grammar.report.narrowed)  # fmt: skip
        automaton = compile(grammar)
        assert automaton.accepts(json.dumps(taken).encode())
        assert not automaton.accepts(json.dumps(repeated).encode())


@pytest.mark.parametrize("key_order", ["schema", "any"])
def test_unique_objects_differ_in_strings_that_some_have(key_order):
    items = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"},
                                              "c": {"enum": ["x", "y", "z"]}, "d": {}}}  # fmt: skip
    schema = {"items": items, "type": "array", "uniqueItems": True}
    judge = jsonschema.Draft202012Validator(schema)
    automaton = compile(json_schema.parse(schema, key_order=key_order))
    values = [
        {},
        {"a": 1},
        {"b": "p"},
        {"b": "q", "c": "x"},
        {"a": 2, "c": "x"},
        {"c": "y"},
        {"b": "p", "d": 0},
        {"a": 2, "c": "x", "e": 1},
        {"e": 1},
        {"a": 1, "e": 2},
    ]
    taken = 0
    for chosen in itertools.product(values, repeat=2):
        array = list(chosen)
        if automaton.accepts(json.dumps(array).encode()):
            taken += 1
            assert judge.is_valid(array)
    assert taken > 60
    assert automaton.accepts(json.dumps(values[1:6]).encode())
    for repeated in (
        b'[{"b": "p", "e": 1, "e": 2}, {"b": "p", "e": 2}]',
        b'[{"b": "p", "b": "q"}]',
    ):
        assert not automaton.accepts(repeated)


@pytest.mark.parametrize("key_order", ["schema", "any"])
def test_items_are_told_apart_by_what_is_within(key_order):
    pair = {"type": "object", "properties": {"a": {"type": "number"}, "b": {}}, "required": ["a"]}
    free, pairs = (
        compile(json_schema.parse({"uniqueItems": True, "items": items}, key_order=key_order))
        for items in ({}, pair)
    )
    for array in ([["foo"], ["bar"], ["baz"]], [[[1], "foo"], [[True], "foo"]], [[], [[]], [{}]],
                  [{"foo": {"bar": True}}, {"foo": {"bar": False}}],
                  [{"foo": {"bar": {"baz": True}}}, {"foo": {"bar": {"baz": 1e5}}}],
                  [{"a": False}, {"a": 0}, {}, {"a": 1, "b": 2}]):  # fmt: skip
        assert free.accepts(json.dumps(array).encode())
    assert pairs.accepts(b'[{"a": 1, "b": 2}, {"a": 2, "b": 2}]')


@pytest.mark.parametrize("key_order", ["schema", "any"])
def test_no_two_items_are_equal_however_they_are_written(key_order):
    rng = random.Random(0)
    schema = {"type": "array", "uniqueItems": True}
    automaton = compile(json_schema.parse(schema, key_order=key_order))

    def written(depth):
        kind = rng.choice("1tfn[{" if depth else "1tf")
        inner = [written(depth - 1) for _ in range(rng.randrange(3))] if kind in "[{" else []
        named = ", ".join(f'"{rng.choice("ab")}": {value}' for value in inner)
        return {"1": rng.choice("12"), "t": "true", "f": "false", "n": "null",
                "[": f"[{', '.join(inner)}]", "{": f"{{{named}}}"}[kind]  # fmt: skip

    taken = 0
    for _ in range(3_000):
        text = f"[{', '.join(written(3) for _ in range(rng.randint(2, 3)))}]"
        if automaton.accepts(text.encode()):
            taken += 1
            jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    assert taken > 1_000


def test_items_at_their_places_may_be_unique_by_their_kinds():
    schema = {"prefixItems": [{"type": "string"}, {"type": "integer"}, {"type": "null"}],
              "items": False, "uniqueItems": True}  # fmt: skip
    grammar = json_schema.parse(schema, digits=json_schema.DigitLimits(None, None, None))
    assert grammar.report.exact
    assert compile(grammar).accepts(b'["1", 1, null]')


def test_items_of_known_values_at_their_places_are_unique():
    schema = {"prefixItems": [{"type": "boolean"}, {"enum": [True, 1, "a"]}],
              "uniqueItems": True, "minItems": 1, "maxItems": 4}  # fmt: skip
    judge = jsonschema.Draft202012Validator(schema)
    automaton = automaton_of(schema)
    values = [True, False, 1, "a", "bc", None, 2]
    for count in range(5):
        for array in itertools.product(values, repeat=count):
            assert automaton.accepts(json.dumps(array).encode()) == judge.is_valid(list(array))
    assert not automaton.accepts(b"[true, 1, null, 2, 3]")


def test_contains_next_to_unique_items():
    schema = {"items": {"enum": ["a", "b", "c", 1]}, "uniqueItems": True,
              "contains": {"type": "string"}, "minContains": 1, "maxContains": 2}  # fmt: skip
    automaton = automaton_of(schema)
    for text in (b'["c"]', b'[1, "a"]', b'["b", 1, "c"]'):
        assert automaton.accepts(text)
    for text in (b"[]", b"[1]", b'["a", "b", "c"]', b'["a", "a"]'):
        assert not automaton.accepts(text)


def test_contains_counts_however_far():
    schema = {"contains": {"const": 1}, "minContains": 4000, "maxContains": 5000}
    automaton = automaton_of({**schema, "items": {"enum": [1, 2]}})
    for ones in (3999, 4000, 5000, 5001):
        assert automaton.accepts(json.dumps([2, *[1] * ones, 2]).encode()) == (4000 <= ones <= 5000)


REPEATS = [
    {"minProperties": 2},
    {"minProperties": 3, "maxProperties": 3},
    {"minProperties": 3, "required": ["d"]},
    {"minProperties": 2, "not": {"patternProperties": {"^x": {"type": "integer"}}}},
    {"minProperties": 3, "not": {"patternProperties": {"^x": {"type": "integer"}}}},
    {"not": {"additionalProperties": {"type": "string"}}, "required": ["d"]},
    {"allOf": [{"not": {"patternProperties": {"^x": {"type": "integer"}}}},
               {"not": {"patternProperties": {"^b": {"type": "integer"}}}}]},
    {"allOf": [{"not": {"patternProperties": {"^x": {"type": "integer"}}}},
               {"not": {"patternProperties": {"a$": {"type": "integer"}}}}]},
    {"patternProperties": {"^x": {"type": "integer"}}, "maxProperties": 2},
    {"not": {"propertyNames": {"pattern": "x"}}, "maxProperties": 3, "minProperties": 2},
    {"not": {"propertyNames": {"pattern": "x"}}, "maxProperties": 2, "required": ["d"]},
]  # fmt: skip


@pytest.mark.parametrize("key_order", ["schema", "any"])
@pytest.mark.parametrize("schema", REPEATS, ids=str)
def test_names_that_come_twice_make_nothing_invalid(schema, key_order):
    schema = {"type": "object", "properties": {"d": {"type": "integer"}}, **schema}
    judge = jsonschema.Draft202012Validator(schema)
    automaton = automaton_of(schema, key_order=key_order)
    members = ['"d":0', '"x":1', '"x":"s"', '"xa":"s"', '"xa":1', '"b":1', '"b":"s"']
    accepted = set()
    for count in range(5):
        for chosen in itertools.product(members, repeat=count):
            text = f"{{{','.join(chosen)}}}"
            if automaton.accepts(text.encode()):
                accepted.add(count)
                assert judge.is_valid(json.loads(text)), text
    assert accepted


def test_keys_come_in_the_order_of_the_schema():
    schema = {"required": ["x", "b"], "properties": {"b": {}, "a": {}}}
    automaton = automaton_of(schema)
    assert automaton.accepts(b'{"b":1,"a":1,"x":1,"other":1}')
    assert not automaton.accepts(b'{"x":1,"b":1}')


# Schemas, and whether keys come in any order: where no schema lists two names.
ORDERS = [
    ({"required": ["a", "b"]}, True),
    ({"dependentRequired": {"c": ["a", "b"]}, "required": ["c"]}, True),
    ({"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}],
      "minProperties": 2}, True),
    ({"$ref": "#/$defs/a", "properties": {"b": {}}, "unevaluatedProperties": False,
      "$defs": {"a": {"properties": {"a": {}}}}}, True),
    ({"dependentSchemas": {"c": {"properties": {"a": {}, "b": {}, "c": {}}}}}, False),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "in_any_order"), ORDERS, ids=str)
def test_keys_that_no_schema_lists_together_come_in_any_order(schema, in_any_order):
    judge, automaton = jsonschema.Draft202012Validator(schema), automaton_of(schema)
    rejected = 0
    for count in range(5):
        for names in itertools.permutations("abcd", count):
            value = dict.fromkeys(names, 1)
            accepted = automaton.accepts(json.dumps(value).encode())
            if in_any_order or names == tuple(sorted(names)):
                assert accepted == judge.is_valid(value), value
            rejected += judge.is_valid(value) and not accepted
    assert (rejected == 0) == in_any_order


def test_digits_are_capped_and_the_report_says_so():
    grammar = json_schema.parse({"type": "integer"})
    assert not grammar.report.exact
    automaton = compile(grammar)
    assert automaton.accepts(b"9" * 20)
    assert not automaton.accepts(b"9" * 21)
    limits = json_schema.DigitLimits(integer=None, fraction=None, significant=None)
    grammar = json_schema.parse({"type": "integer"}, digits=limits)
    assert grammar.report.exact
    assert compile(grammar).accepts(b"9" * 500)
    assert json_schema.parse({"type": "integer", "minimum": 0, "maximum": 9}).report.exact


def test_numbers_never_overflow_or_round_across_a_bound():
    automaton = automaton_of({"exclusiveMaximum": 1, "type": "number"})
    assert not automaton.accepts(b"0.99999999999999999999")
    assert automaton.accepts(b"0.99999999999999")
    assert not automaton_of(True).accepts(b"1e999")
    assert automaton_of(True).accepts(b"-1.5e-10")


@pytest.mark.parametrize(
    ("schema", "error", "pointer"),
    [
        (1, GrammarError, ""),
        ("{", GrammarError, ""),
        ('{"a": 1, "a": 2}', GrammarError, ""),
        ({"type": "strin"}, GrammarError, "/type"),
        ({"properties": []}, GrammarError, "/properties"),
        ({"properties": {"a/b": {"type": 1}}}, GrammarError, "/properties/a~1b/type"),
        ({"items": [1], "type": "array"}, GrammarError, "/items/0"),
        ({"minLength": -1}, GrammarError, "/minLength"),
        ({"minLength": "1"}, GrammarError, "/minLength"),
        ({"minimum": True}, GrammarError, "/minimum"),
        ({"multipleOf": 0}, GrammarError, "/multipleOf"),
        ({"pattern": "("}, GrammarError, "/pattern"),
        ({"pattern": r"(a)\1"}, Unsupported, "/pattern"),
        ({"required": "a"}, GrammarError, "/required"),
        ({"enum": {}}, GrammarError, "/enum"),
        ({"anyOf": []}, GrammarError, "/anyOf"),
        ({"$ref": "#/nowhere"}, GrammarError, "/$ref"),
        ({"$ref": "http://example.com/x"}, Unsupported, "/$ref"),
        ({"$ref": "#"}, Unsupported, "/$ref"),
        ({"$schema": "http://example.com/x"}, Unsupported, "/$schema"),
        ({"uniqueItems": True, "prefixItems": [{}, {}]}, Unsupported, None),
        ({"minProperties": 2, "maxProperties": 2, "type": "object",
          "not": {"propertyNames": {"pattern": "x"}}}, Unsupported, None),
        (False, EmptyLanguage, ""),
        ({"type": "string", "const": 1}, EmptyLanguage, ""),
        (
            {"properties": {"a": {"enum": []}}, "required": ["a"], "type": "object"},
            EmptyLanguage,
            "/properties/a",
        ),
        ({"type": "integer", "minimum": 3, "maximum": 2}, EmptyLanguage, ""),
        ({"const": float("nan")}, GrammarError, ""),
        ({"const": "\ud800"}, GrammarError, ""),
        ({"const": object()}, GrammarError, ""),
        ({1: 2}, GrammarError, ""),
    ],
    ids=lambda part: repr(part)[:40],
)  # fmt: skip
def test_errors_point_at_the_keyword(schema, error, pointer):
    with pytest.raises(error) as caught:
        compile(json_schema.parse(schema))
    assert caught.value.pointer == pointer
    assert str(caught.value)


def test_unknown_formats_and_keywords_are_annotations_with_a_warning():
    report = json_schema.parse({"format": "colour", "x-note": 1, "note": 2, "title": "T"}).report
    assert {warning.split(":")[0] for warning in report.warnings} == {"/format", "/note"}


@pytest.mark.parametrize(
    ("keyword", "meant"),
    [("AnyOf", "anyOf"), ("aditionalProperties", "additionalProperties"), ("requires", "required"),
     ("minium", "minimum"), ("divisibleBy", "multipleOf")],
)  # fmt: skip
def test_a_misspelt_keyword_is_an_annotation_and_the_warning_names_the_likely_one(keyword, meant):
    (warning,) = json_schema.parse({keyword: 2}).report.warnings
    assert warning.startswith(f"/{keyword}: ")
    assert repr(meant) in warning


DRAFT = "http://json-schema.org/draft-0{}/schema#"


@pytest.mark.parametrize(
    ("draft", "keyword", "value"),
    [
        (DRAFT.format(4), "const", 1),
        (DRAFT.format(4), "propertyNames", False),
        (DRAFT.format(6), "if", {}),
        (DRAFT.format(7), "dependentRequired", {}),
        (DRAFT.format(7), "prefixItems", [False]),
        ("https://json-schema.org/draft/2019-09/schema", "prefixItems", [False]),
        ("https://json-schema.org/draft/2020-12/schema", "additionalItems", False),
    ],
)
def test_keywords_of_other_drafts_are_annotations_with_a_warning(draft, keyword, value):
    report = json_schema.parse({"$schema": draft, keyword: value}).report
    assert any(warning.startswith(f"/{keyword}: not a keyword") for warning in report.warnings)
    assert compile(json_schema.parse({"$schema": draft, keyword: value})).accepts(b'[{"a": 2}]')


def _deep(depth):
    schema = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        _deep(10_000),
        '{"not":' * 10_000 + "{}" + "}" * 10_000,
        {"properties": {f"p{n}": {} for n in range(5_001)}},
        {"allOf": [{"anyOf": [{"required": [f"{i}{j}"]} for j in range(9)]} for i in range(9)]},
        {"type": "integer", "multipleOf": 1_000_003},
    ],
    ids=["deep values", "deep text", "properties", "cases", "modulus"],
)
def test_what_is_too_large_is_refused_at_once(schema):
    start = time.process_time()
    with pytest.raises(BudgetExceeded):
        json_schema.parse(schema)
    assert time.process_time() - start < 5


def test_many_tagged_alternatives_are_told_apart():
    start = time.process_time()
    tagged = [{"properties": {"t": {"const": n}}, "required": ["t"]} for n in range(150)]
    automaton = automaton_of({"type": "object", "oneOf": tagged})
    assert automaton.accepts(b'{"t": 149}')
    assert not automaton.accepts(b'{"t": 150}')
    # Without a type, whatever is no object is in all of them, so in not just one.
    assert not automaton_of({"oneOf": tagged}).accepts(b"1")
    assert time.process_time() - start < 5


def test_a_long_chain_of_references_is_followed():
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3_000)}
    automaton = automaton_of({"$ref": "#/$defs/d0", "$defs": {**chain, "d3000": {"const": 1}}})
    assert automaton.accepts(b"1")
    assert not automaton.accepts(b"2")


def test_formats_may_be_annotations_and_whole_numbers_have_a_point():
    assert automaton_of({"format": "ipv4"}, formats="annotations").accepts(b'"1.2.3"')
    with pytest.raises(GrammarError, match="asserted or annotations"):
        json_schema.parse(True, formats="ignored")
    dotted = automaton_of({"type": "integer"}, digits=json_schema.DigitLimits(zeros=2))
    assert dotted.accepts(b"1.0")
    assert dotted.accepts(b"-3.00")
    assert not dotted.accepts(b"1.000")
    assert not dotted.accepts(b"1.5")
    free = json_schema.DigitLimits(zeros=None)
    power = automaton_of({"type": "integer", "multipleOf": 0.5}, digits=free)
    for text in ("1e308", "-9E+307", "2e0", "1e+05"):
        assert power.accepts(text.encode())
        assert float(text).is_integer()
    assert not any(map(power.accepts, (b"2e308", b"1e309", b"0e1", b"1e-1", b"12e3")))
    assert not automaton_of({"type": "integer", "minimum": 0}, digits=free).accepts(b"1e3")


def test_a_supplied_metaschema_says_which_vocabularies_count():
    meta = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$vocabulary": {
            "https://json-schema.org/draft/2020-12/vocab/core": True,
            "https://json-schema.org/draft/2020-12/vocab/applicator": True,
            "http://h/own": False,
        },
    }
    schema = {"$schema": "http://h/meta", "properties": {"a": False}, "minProperties": 9}
    automaton = automaton_of(schema, supplied={"http://h/meta": meta})
    assert automaton.accepts(b'{"b": 1}')
    assert not automaton.accepts(b'{"a": 1}')
    meta["$vocabulary"]["http://h/own"] = True
    with pytest.raises(Unsupported, match="http://h/own"):
        json_schema.parse(schema, supplied={"http://h/meta": meta})


def test_nesting_and_many_properties_are_taken():
    automaton = automaton_of(_deep(100))
    assert automaton.accepts(b"[" * 100 + b"]" * 100)
    start = time.process_time()
    for count in (1_000, 5_000):
        names = [f"property{n}" for n in range(count)]
        automaton = automaton_of({"properties": {name: {"type": "null"} for name in names}})
        assert automaton.is_live(b'{"')
        if count == 1_000:
            assert automaton.accepts(b'{"property7":null,"property999":null}')
            assert not automaton.accepts(b'{"property7":1}')
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"not": {"pattern": "^a$"}}, b'"a\\n"'),
        ({"patternProperties": {"^a$": {"type": "null"}}}, b'{"a\\n": 1}'),
        ({"not": {"pattern": "^.$"}}, b'"\\r"'),
    ],
)
def test_no_reading_of_a_pattern_is_a_way_around_it(schema, text):
    assert not jsonschema.Draft202012Validator(schema).is_valid(json.loads(text))
    assert not automaton_of(schema).accepts(text)
    assert any("engines" in sentence for sentence in json_schema.parse(schema).report.narrowed)


def test_supplied_documents_are_found():
    schema = {"$id": "http://a/b", "$ref": "c#/x"}
    automaton = automaton_of(schema, supplied={"http://a/c": {"x": {"const": 1}}})
    assert automaton.accepts(b"1")
    assert not automaton.accepts(b"2")
