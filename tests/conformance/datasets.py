"""Public test data that is not part of the project: where it is, and what it holds.

It is looked for in the folder that LIPOGRAM_TEST_DATA names, else in `shared/data` next to the
project or within it. Tests that need it are skipped where it is absent.
"""

import gzip
import json
import os
import random
from pathlib import Path

import jsonschema_specifications
import pytest

_PROJECT = Path(__file__).parents[2]
_PLACES = (
    Path(os.environ.get("LIPOGRAM_TEST_DATA", "/nonexistent")),
    _PROJECT.parent / "shared" / "data",
    _PROJECT / "shared" / "data",
)


def path(name):
    """The file or folder of this name; skips the test where there is none."""
    for place in _PLACES:
        if (place / name).exists():
            return place / name
    pytest.skip(f"{name} is not here; set LIPOGRAM_TEST_DATA to the folder that holds it")


def real_schemas(count, seed):
    """A sample of JSONSchemaBench: dictionaries of name, schema and tests."""
    with gzip.open(path("jsonschemabench-dev.jsonl.gz"), "rt", encoding="utf-8") as file:
        lines = file.readlines()
    return [json.loads(line) for line in random.Random(seed).sample(lines, min(count, len(lines)))]


def real_patterns():
    """All distinct regular expressions of JSONSchemaBench, in order."""
    found = {}
    for row in real_schemas(10**6, 0):
        pending = [row["schema"]]
        while pending:
            value = pending.pop()
            if isinstance(value, dict):
                if isinstance(value.get("pattern"), str):
                    found[value["pattern"]] = None
                if isinstance(value.get("patternProperties"), dict):
                    found.update(dict.fromkeys(value["patternProperties"]))
                pending.extend(value.values())
            elif isinstance(value, list):
                pending.extend(value)
    return sorted(found)


def remotes():
    """The documents that the official suite refers to, by the URI it gives them."""
    folder = path("json-schema-test-suite") / "remotes"
    found = {uri: jsonschema_specifications.REGISTRY.contents(uri)
             for uri in jsonschema_specifications.REGISTRY if "draft-03" not in uri}  # fmt: skip
    for file in sorted(folder.rglob("*.json")):
        name = file.relative_to(folder).as_posix()
        if not name.startswith(("draft3/", "v1/")):
            found[f"http://localhost:1234/{name}"] = json.loads(file.read_text(encoding="utf-8"))
    return found


def suite(draft):
    """The official suite of a draft: (file, schema, description, tests)."""
    folder = path("json-schema-test-suite") / draft
    for file in sorted(folder.rglob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            yield (
                str(file.relative_to(folder)),
                case["schema"],
                case["description"],
                case["tests"],
            )
