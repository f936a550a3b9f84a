"""A compiled schema accepts the values that `jsonschema` accepts, and only those."""

import itertools
import json
import random

import jsonschema
import pytest

from grammars.random_schemas import schema, spellings, value
from grammars.sampling import walk
from lipogram.grammars import BudgetExceeded, EmptyLanguage, Unsupported, compile, json_schema

SCHEMAS_PER_SEED = 20
VALUES_PER_SCHEMA = 25
WALKS_PER_SCHEMA = 3
MAX_SPELLINGS = 300
OTHER_DRAFTS = {
    "http://json-schema.org/draft-04/schema#": jsonschema.Draft4Validator,
    "http://json-schema.org/draft-06/schema#": jsonschema.Draft6Validator,
    "http://json-schema.org/draft-07/schema#": jsonschema.Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
}


def agrees(candidate, judge, chooser, key_order="schema"):
    """Whether the schema was compiled; fails where a value or a text is judged otherwise."""
    try:
        grammar = json_schema.parse(candidate, key_order=key_order)
        automaton = compile(grammar)
    except EmptyLanguage:
        grammar = automaton = None
    except (Unsupported, BudgetExceeded):
        return False
    narrowed = grammar is not None and any("digits" not in n for n in grammar.report.narrowed)
    for _ in range(VALUES_PER_SCHEMA):
        candidate_value = value(chooser)
        try:
            expected = judge.is_valid(candidate_value)
        except RecursionError:
            continue  # a loop that this value leads the judge into, and that no value satisfies
        texts = itertools.islice(spellings(candidate_value), MAX_SPELLINGS)
        accepted = {automaton is not None and automaton.accepts(t.encode()) for t in texts}
        found = True in accepted
        if key_order == "any" and len(accepted) > 1 and not narrowed:
            pytest.fail(f"{candidate} on {candidate_value}: only in some orders")
        if found != expected and not (narrowed and expected):
            pytest.fail(f"{candidate} on {candidate_value}: {found}, should be {expected}")
    if automaton is not None:
        texts = [automaton.shortest(automaton.start())]
        texts += [walk(automaton, chooser, 30) for _ in range(WALKS_PER_SCHEMA)]
        for text in texts:
            assert judge.is_valid(json.loads(text)), (candidate, text)
    return True


@pytest.mark.parametrize("key_order", ["schema", "any"])
@pytest.mark.parametrize("seed", range(12))
def test_random_schemas_accept_what_jsonschema_accepts(seed, key_order):
    compiled = 0
    for number in range(SCHEMAS_PER_SEED):
        chooser = random.Random(f"{seed} {number}")
        candidate = schema(chooser)
        compiled += agrees(
            candidate, jsonschema.Draft202012Validator(candidate), chooser, key_order
        )
    assert compiled > SCHEMAS_PER_SEED / 2


@pytest.mark.parametrize("dialect", OTHER_DRAFTS)
def test_random_schemas_of_other_drafts_accept_what_jsonschema_accepts(dialect):
    compiled = 0
    for number in range(2 * SCHEMAS_PER_SEED):
        chooser = random.Random(f"{dialect} {number}")
        candidate = schema(chooser, dialect)
        compiled += agrees(candidate, OTHER_DRAFTS[dialect](candidate), chooser)
    assert compiled > SCHEMAS_PER_SEED
