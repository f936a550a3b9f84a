"""Keys in any order, strings in any spelling, whitespace: what is accepted, on real schemas."""

import json
import random

import jsonschema

from conformance import datasets
from lipogram.grammars import EmptyLanguage, GrammarError, compile, json_schema

SAMPLE = 300
DIGITS = "everywhere: numbers are written with a bounded count of digits"


def compiled(schema, **options):
    """The automaton and whether it has a text for every value; None where the schema is refused."""
    try:
        grammar = json_schema.parse(schema, **options)
        return compile(grammar), set(grammar.report.narrowed) <= {DIGITS}
    except (GrammarError, EmptyLanguage):
        return None


def shuffled(value, chooser):
    if isinstance(value, list):
        return [shuffled(item, chooser) for item in value]
    if isinstance(value, dict):
        names = chooser.sample(list(value), len(value))
        return {name: shuffled(value[name], chooser) for name in names}
    return value


def escaped(value, chooser):
    """JSON text in which each character of a string is spelled in one of its ways."""
    if isinstance(value, list):
        return f"[{','.join(escaped(item, chooser) for item in value)}]"
    if isinstance(value, dict):
        members = (f"{escaped(k, chooser)}:{escaped(v, chooser)}" for k, v in value.items())
        return f"{{{','.join(members)}}}"
    if not isinstance(value, str):
        return json.dumps(value)
    return f'"{"".join(chooser.choice(spellings(character)) for character in value)}"'


def spellings(character):
    plain = json.dumps(character, ensure_ascii=False)[1:-1]
    units = character.encode("utf-16-be")
    digits = [units[i : i + 2].hex() for i in range(0, len(units), 2)]
    lower = "".join(f"\\u{unit}" for unit in digits)
    upper = "".join(f"\\u{unit.upper()}" for unit in digits)
    return [plain, plain, lower, upper, *(["\\/"] if character == "/" else [])]


def without_each_key(value):
    return [{k: v for k, v in value.items() if k != name} for name in value]


def with_a_key_twice(value, name):
    text = json.dumps(value, ensure_ascii=False)
    return f"{text[:-1]}, {json.dumps({name: value[name]}, ensure_ascii=False)[1:]}"


def test_keys_in_any_order():
    accepted, rejected, wrong, repeats = 0, [], [], 0
    for row in datasets.real_schemas(SAMPLE, seed=13):
        found = compiled(row["schema"], key_order="any")
        if found is None:
            continue
        automaton, is_exact = found
        schema, chooser = row["schema"], random.Random(row["name"])
        judge = jsonschema.validators.validator_for(schema)(schema)
        for test in row["tests"]:
            value = shuffled(test["data"], chooser)
            text = json.dumps(value, ensure_ascii=False)
            if automaton.accepts(text.encode()):
                accepted += 1
                if not test["valid"]:
                    wrong.append(f"{row['name']}: {text[:200]}")
            elif test["valid"] and is_exact:
                rejected.append(f"{row['name']}: {text[:200]}")
            if not test["valid"] or not isinstance(value, dict):
                continue
            for fewer in without_each_key(value):
                text = json.dumps(fewer, ensure_ascii=False).encode()
                if automaton.accepts(text) and not judge.is_valid(fewer):
                    wrong.append(f"{row['name']}: {text[:200]}")
            for name in value.keys() & schema.get("properties", {}).keys():
                repeats += 1
                if automaton.accepts(with_a_key_twice(value, name).encode()):
                    wrong.append(f"{row['name']}: {name} twice")
    assert wrong == []
    assert rejected == []
    assert accepted > SAMPLE
    assert repeats > SAMPLE


def test_strings_in_any_spelling():
    spelled = wrong = 0
    for row in datasets.real_schemas(50, seed=14):
        canonical = compiled(row["schema"], key_order="any")
        every = compiled(row["schema"], key_order="any", escapes="any")
        if canonical is None or every is None:
            continue
        chooser = random.Random(row["name"])
        for test in row["tests"]:
            text = escaped(test["data"], chooser)
            assert json.loads(text) == test["data"]
            plain = json.dumps(test["data"], ensure_ascii=False).encode()
            assert canonical[0].accepts(plain) == every[0].accepts(text.encode()), text
            spelled += canonical[0].accepts(plain)
            assert every[0].accepts(plain) == every[0].accepts(text.encode()), text
            wrong += "\\u0" in text and canonical[0].accepts(text.encode())
    assert spelled > 40
    assert not wrong


def test_whitespace_is_what_the_documentation_says():
    usual = [{"indent": 2}, {"indent": "\t"}, {"separators": (",", ":")}, {}]
    fixed = {"compact": {"separators": (",", ":")}, "spaced": {}}
    judged = 0
    for row in datasets.real_schemas(30, seed=15):
        found = compiled(row["schema"], key_order="any")
        if found is None:
            continue
        for test in row["tests"]:
            texts = [json.dumps(test["data"], ensure_ascii=False, **way).encode() for way in usual]
            answers = {found[0].accepts(text) for text in texts}
            assert len(answers) == 1, texts[0]
            for layout, way in fixed.items():
                laid_out = compiled(row["schema"], key_order="any", whitespace=layout)[0]
                text = json.dumps(test["data"], ensure_ascii=False, **way).encode()
                assert {laid_out.accepts(text)} == answers
                assert not laid_out.accepts(texts[0]) or b"\n" not in texts[0]
            judged += True in answers
    assert judged > 20
