"""Schemathesis against a running server: `make fuzz`, or `python -m tests.fuzz --st PATH_OF_ST`.

The server is the real one behind a real socket, with keys; its model is a table with a small
window, so that a request takes milliseconds and the time goes into inputs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from lipogram.server.keys import ApiKey, new_key
from lipogram.server.settings import Settings
from tests.server_under_test import restless, serving

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "negative_data_rejection",
    "unsupported_method",
)
WINDOW_TOKENS = 64


def main() -> int:
    """Runs it; returns its exit status: 0 where no check failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--st", default="st", help="the schemathesis command")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    arguments, others = parser.parse_known_args()
    key = new_key()
    model = restless()
    model.context_tokens = WINDOW_TOKENS
    settings = Settings(api_keys=(ApiKey.parse(key),), compile_workers=1, compile_seconds=2)
    with serving([model], settings) as address:
        command = [
            *(arguments.st, "run", f"{address}/openapi.json", "--checks", ",".join(CHECKS)),
            *("--phases", "examples,coverage,fuzzing", "--max-time", str(arguments.seconds)),
            *("--seed", str(arguments.seed), "-H", f"Authorization: Bearer {key}"),
            *("--request-timeout", "60", "--max-examples", "1000000", *others),
        ]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz_hooks", "PYTHONPATH": "."}
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
