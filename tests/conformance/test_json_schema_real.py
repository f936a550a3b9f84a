"""Real schemas with instances: no invalid instance is accepted, and few schemas are refused."""

import json
import os
import random
from pathlib import Path

import jsonschema

from conformance import datasets
from grammars.sampling import walk
from lipogram.grammars import (
    BudgetExceeded,
    EmptyLanguage,
    GrammarError,
    compile,
    json_schema,
)

BASELINE = Path(__file__).with_name("baseline.json")
SAMPLE = 300


def test_real_schemas():
    refused, rejected, valid, wrong = [], [], 0, []
    for row in datasets.real_schemas(SAMPLE, seed=11):
        try:
            automaton = compile(json_schema.parse(row["schema"]))
        except EmptyLanguage:
            automaton = None
        except GrammarError as error:
            refused.append(f"{row['name']}: {error}")
            continue
        for test in row["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False).encode()
            valid += test["valid"]
            if (automaton is not None and automaton.accepts(text)) != test["valid"]:
                (rejected if test["valid"] else wrong).append(f"{row['name']}: {text[:200]}")
    assert wrong == []
    reached = {"schemas refused": len(refused), "valid rejected": len(rejected)}
    baseline = json.loads(BASELINE.read_text())
    if os.environ.get("LIPOGRAM_UPDATE_BASELINE"):
        baseline["json_schema real"] = reached
        BASELINE.write_text(json.dumps(baseline, indent=2) + "\n")
    assert reached["schemas refused"] <= baseline["json_schema real"]["schemas refused"], refused
    assert reached["valid rejected"] <= baseline["json_schema real"]["valid rejected"], rejected
    assert valid > SAMPLE / 2


def test_texts_of_real_schemas_are_valid():
    judged = 0
    for row in datasets.real_schemas(120, seed=12):
        try:
            automaton = compile(json_schema.parse(row["schema"]))
            chooser = random.Random(row["name"])
            texts = [automaton.shortest(automaton.start()), walk(automaton, chooser, 60)]
        except (GrammarError, BudgetExceeded):
            continue
        judge = jsonschema.validators.validator_for(row["schema"])(row["schema"])
        for text in texts:
            assert judge.is_valid(json.loads(text)), (row["name"], text)
            judged += 1
    assert judged > 120
