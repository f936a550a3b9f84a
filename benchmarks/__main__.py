"""Cost and coverage of masks, side by side with other engines: one table, and JSON.

Each engine runs in a process of its own. They take turns grammar by grammar, so that the machine's
noise is shared. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import report, texts, worker

_THREADS = ("OMP", "MKL", "NUMBA", "OPENBLAS", "RAYON")
QUERIED = 20  # schemas
_WARM_UP = {
    "kind": "json_schema",
    "source": {"type": "object", "properties": {"a": {"type": "string"}}},
    "warm_up": True,
}


class Process:
    """An engine's worker, started again after it dies."""

    def __init__(self, engine: str, python: str, tokens: Path, warm_up: dict[str, Any]) -> None:
        self.command = [python, "-m", "benchmarks.worker", engine, str(tokens)]
        self.warm_up = warm_up
        self.about = self._start()

    def _start(self) -> dict[str, Any]:
        one_thread = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
        path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | one_thread | {"PYTHONPATH": path},
        )
        about = self._answer()
        if "init" in about:
            self.ask(self.warm_up)
        return about

    def ask(self, task: Any) -> dict[str, Any]:
        """The worker's answer; where it dies of the task, an outcome that says so."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        if answer.get("outcome", "").startswith("died"):
            if task is self.warm_up:
                raise SystemExit(f"{self.command} does not start")
            self._start()
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        return {"outcome": f"died: status {self.process.wait()}"}


def run(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The results of every engine."""
    tokens, encode = texts.vocabulary(options.vocabulary)
    cases = list(texts.cases(options.count, options.seed, options.transform))
    warm_up = _WARM_UP | {"texts": [encode('{"a": "b"}')]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens"
        tokens.save(path)
        processes = {}
        for name in options.engines:
            python = sys.executable if name == "lipogram" else options.peers_python
            processes[name] = Process(name, python, path, warm_up)
        running = {n: p for n, p in processes.items() if "init" in p.about}
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in running}
        tasks = [
            {"kind": c.kind, "source": c.source, "texts": [encode(text) for text, _ in c.texts]}
            for c in cases
        ]
        for number, task in enumerate(tasks):
            for name, process in running.items():
                answers[name].append(process.ask(task))
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {len(cases)}", end="", file=sys.stderr, flush=True)
        some = {"queries": [task for task in tasks if task["kind"] == "json_schema"][:QUERIED]}
        queries = {name: process.ask(some) for name, process in running.items()}
    return {
        name: _result(process.about, cases, answers[name], queries[name])
        if name in running
        else {"absent": process.about.get("absent") or process.about["outcome"]}
        for name, process in processes.items()
    }


def _result(
    about: dict[str, Any],
    cases: list[texts.Case],
    answers: list[dict[str, Any]],
    queries: dict[str, list[int]],
) -> dict[str, Any]:
    groups = {}
    for group in dict.fromkeys(case.group for case in cases):
        own = [(a, c) for a, c in zip(answers, cases, strict=True) if c.group == group]
        valid = [[is_valid for _, is_valid in case.texts] for _, case in own]
        groups[group] = report.group_summary([answer for answer, _ in own], valid)
    return {
        "init_ms": about["init"] / 1e6,
        "peak_rss_mb": max(answer.get("rss", 0) for answer in answers) / 2**20,
        "groups": groups,
        "queries": {name: report.summary(times) for name, times in queries.items()},
        "refusals": [a["outcome"] for a in answers if a["outcome"] != "compiled"],
    }


def about(options: argparse.Namespace) -> dict[str, Any]:
    """What is needed to run this again."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    find = [options.peers_python, "-m", "pip", "list", "--format=json"]
    found = json.loads(subprocess.check_output(find, text=True))
    versions = {p["name"].replace("_", "-"): p["version"] for p in found}
    peers = {name: versions[name] for name in worker.ENGINES if name in versions}
    own = {name: importlib.metadata.version(name) for name in ("lipogram", "numba", "numpy")}
    return {
        "machine": f"{models[0] if models else platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "versions": own | peers,
        "vocabulary": options.vocabulary,
        "schemas": "real" if texts.find("jsonschemabench-dev.jsonl.gz") else "generated",
        "seed": options.seed,
        "transform": options.transform,
        "command": ["python", "-m", "benchmarks", *sys.argv[1:]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    has_real = texts.find("vocabularies/cl100k_base.npz") is not None
    parser.add_argument("--vocabulary", default="cl100k_base" if has_real else texts.EMBEDDED)
    parser.add_argument("--count", type=int, default=100, help="how many schemas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--engines", nargs="+", default=list(worker.ENGINES), choices=worker.ENGINES
    )
    parser.add_argument("--transform", choices=("shuffle", "indent", "compact", "ascii"))
    parser.add_argument("--peers-python", default=sys.executable, help="where peers are installed")
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    options = parser.parse_args()
    results = run(options)
    print(report.table(results))
    if options.out:
        options.out.write_text(json.dumps(about(options) | {"engines": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
