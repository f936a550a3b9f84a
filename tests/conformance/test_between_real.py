"""Real texts cut at two bytes: what was cut out fits again, and so does what other judges let in.

Instances of real schemas are judged by jsonschema, programs by the lark package's Earley parser.
"""

import json
import random

import jsonschema
import pytest
from benchmarks.texts import GRAMMARS
from lark import Lark
from lark.exceptions import LarkError

from conformance import datasets
from grammars.sampling import walk
from laws.generator import cases
from lipogram.grammars import GrammarError, compile, json_schema, lark

MUTATIONS = 5


def _cut(rng, text):
    begin, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return text[:begin], text[begin:end], text[end:]


def _mutated(rng, middle, letters):
    """The middle with a byte or two put in, left out or replaced."""
    mutated = bytearray(middle)
    for _ in range(rng.randint(1, 2)):
        place = rng.randint(0, len(mutated))
        mutated[place : place + rng.randint(0, 1)] = bytes(
            rng.choices(letters, k=rng.randint(0, 1))
        )
    return bytes(mutated)


def _is_valid(judge, text):
    try:
        return judge.is_valid(json.loads(text, object_pairs_hook=_without_doubles))
    except (ValueError, RecursionError):
        return False


def _without_doubles(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


@pytest.mark.parametrize("block", cases(5))
def test_middles_of_instances_of_real_schemas(block):
    """As the judge says of texts in the one spelling that both know; where keys are in order and
    formats asserted, what is accepted is valid."""
    rng = random.Random(block)
    instances = accepted = refused = 0
    for row in datasets.real_schemas(60, seed=100 + block):
        text = next((json.dumps(t["data"], ensure_ascii=False).encode()
                     for t in row["tests"] if t["valid"]), b"")  # fmt: skip
        try:
            any_order = json_schema.parse(row["schema"], key_order="any", formats="annotations")
            free, ordered = compile(any_order), compile(json_schema.parse(row["schema"]))
        except GrammarError:
            continue
        if instances == 20 or not ordered.accepts(text):
            continue
        instances += 1
        judge = jsonschema.validators.validator_for(row["schema"])(row["schema"])
        prefix, middle, suffix = _cut(rng, text)
        free, ordered = free.between(prefix, suffix), ordered.between(prefix, suffix)
        assert free.accepts(middle), (row["name"], prefix, suffix)
        assert ordered.accepts(middle), (row["name"], prefix, suffix)
        for _ in range(MUTATIONS):
            other = _mutated(rng, middle, text)
            whole = prefix + other + suffix
            is_valid = _is_valid(judge, whole)
            assert is_valid or not ordered.accepts(other), (row["name"], whole)
            if not is_valid or _is_canonical(whole):
                assert free.accepts(other) == is_valid, (row["name"], whole)
                accepted += is_valid
                refused += not is_valid
    assert instances == 20
    assert min(accepted, refused) > 20


def _is_canonical(text):
    return json.dumps(json.loads(text), ensure_ascii=False).encode() == text


@pytest.mark.parametrize("name", ["C-like", "SQL-like"])
@pytest.mark.parametrize("block", cases(5))
def test_middles_of_programs(name, block):
    rng = random.Random(block)
    # A comment may end anywhere within the line; lark ignores only the longest.
    source = GRAMMARS[name][0].replace(r"%ignore /\/\/[^\n]*/", "")
    automaton = compile(lark.parse(source))
    judge = Lark(source, parser="earley", lexer="dynamic_complete")
    verdicts = []
    for _ in range(10):
        text = walk(automaton, rng, 40)
        while not text.isascii():  # lark reads characters, and a cut may be within one
            text = walk(automaton, rng, 40)
        prefix, middle, suffix = _cut(rng, text)
        between = automaton.between(prefix, suffix)
        assert between.accepts(middle), (prefix, suffix)
        for _ in range(MUTATIONS):
            other = _mutated(rng, middle, text)
            accepted = between.accepts(other)
            assert accepted == _parses(judge, (prefix + other + suffix).decode()), (prefix, other)
            verdicts.append(accepted)
    assert set(verdicts) == {True, False}


def _parses(judge, text):
    try:
        judge.parse(text)
    except LarkError:
        return False
    return True
