"""The official JSON Schema test suite: no wrong accepts, and the rest may only improve.

Values count here, not spellings: whole numbers may be written with a point and zeros, and with any
number of digits. `baseline.json` holds how many tests are refused and how many valid instances are
rejected. Run with LIPOGRAM_UPDATE_BASELINE=1 to write what is reached now.
"""

import json
import os
from pathlib import Path

import pytest

from conformance import datasets
from lipogram.grammars import EmptyLanguage, GrammarError, compile, json_schema

BASELINE = Path(__file__).with_name("baseline.json")
DIALECTS = {
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
ANY_DIGITS = json_schema.DigitLimits(integer=None, fraction=None, significant=15, zeros=None)
# Of the file that says so: everywhere else the suite asks for formats to be asserted.
ANNOTATED = "format.json"


def _automaton(file, schema, dialect, supplied, key_order):
    if isinstance(schema, dict):
        schema = {"$schema": dialect, **schema}
    if not any(host in json.dumps(schema) for host in ("localhost", "json-schema.org")):
        supplied = None
    formats = "annotations" if file == ANNOTATED else "asserted"
    grammar = json_schema.parse(
        schema, digits=ANY_DIGITS, formats=formats, supplied=supplied, key_order=key_order
    )
    return compile(grammar)


@pytest.mark.parametrize("key_order", ["schema", "any"])
@pytest.mark.parametrize("draft", DIALECTS)
def test_suite(draft, key_order):
    supplied = datasets.remotes()
    refused, rejected, wrong = 0, [], []
    for file, schema, description, tests in datasets.suite(draft):
        try:
            automaton = _automaton(file, schema, DIALECTS[draft], supplied, key_order)
        except EmptyLanguage:
            automaton = None
        except GrammarError:
            refused += len(tests)
            continue
        for test in tests:
            text = json.dumps(test["data"], ensure_ascii=False).encode("utf-8", "surrogatepass")
            if (automaton is not None and automaton.accepts(text)) != test["valid"]:
                name = f"{file}: {description}: {test['description']}"
                (rejected if test["valid"] else wrong).append(name)
    assert wrong == []
    reached = {"tests refused": refused, "valid rejected": len(rejected)}
    baseline = json.loads(BASELINE.read_text())
    if os.environ.get("LIPOGRAM_UPDATE_BASELINE") and key_order == "schema":
        baseline["json_schema suite"][draft] = reached
        BASELINE.write_text(json.dumps(baseline, indent=2) + "\n")
    for what, count in baseline["json_schema suite"][draft].items():
        assert reached[what] <= count, (what, rejected)
