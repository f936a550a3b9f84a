"""One engine in one process: reads tasks as lines of JSON, answers each with what it measured.

A task names a grammar and texts as token ids. All times are nanoseconds of the thread's CPU clock,
whose own cost, under a microsecond, is included for every engine.
"""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
from importlib import import_module
from pathlib import Path
from time import thread_time_ns as clock
from typing import Any

from benchmarks.tokens import Tokens

ENGINES = {
    "lipogram": "benchmarks.engine:Lipogram",
    "llguidance": "benchmarks.peers:LLGuidance",
    "xgrammar": "benchmarks.peers:XGrammar",
    "outlines-core": "benchmarks.peers:OutlinesCore",
}
PASSES = 2  # the second meets what the first has left in caches
LIMIT_S = 30  # of CPU time a task; then the process dies of SIGPROF


def measure(engine: Any, eos: int, task: dict[str, Any]) -> dict[str, Any]:
    """Compile, then read every text with a mask before each token and one at the end."""
    begin = clock()
    try:
        if task["kind"] == "json_schema":
            engine.compile(task["source"])
        else:
            engine.compile_cfg(task["kind"], task["source"])
    except Exception as error:
        return {"outcome": f"refused: {type(error).__name__}: {str(error)[:200]}"}
    compiled = clock() - begin
    result: dict[str, Any] = {"outcome": "compiled", "compile": compiled, "commit": []}
    for number in range(PASSES):
        masks: list[int] = []
        verdicts = []
        for ids in task["texts"]:
            begin = clock()
            try:
                engine.reset()
                verdicts.append(read(engine, ids, eos, masks, result["commit"], begin, result))
            except Exception:
                verdicts.append(None)
        result["mask" if number == 0 else "warm"] = masks
        result["accepted"] = verdicts
    return result


def read(
    engine: Any,
    ids: list[int],
    eos: int,
    masks: list[int],
    commits: list[int],
    reset: int,
    result: dict[str, Any],
) -> bool:
    """Whether every token is allowed and the end after them; appends the times."""
    for token_id in [*ids, eos]:
        begin = clock()
        mask = engine.mask()
        end = clock()
        masks.append(end - begin)
        result.setdefault("first", result["compile"] + end - reset)
        if not int(mask[token_id >> 5]) >> (token_id & 31) & 1:
            return False
        if token_id != eos:
            begin = clock()
            went_on = engine.commit(token_id)
            commits.append(clock() - begin)
            if not went_on:
                return False
    return True


def peak_rss_bytes() -> int:
    """Of this process alone: what getrusage tells begins with the parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


def main() -> None:
    name, path = sys.argv[1:]
    tokens = Tokens.load(Path(path))
    module, made = ENGINES[name].split(":")
    begin = clock()
    try:
        engine = getattr(import_module(module), made)(tokens)
    except ImportError as error:
        print(json.dumps({"absent": str(error)}), flush=True)
        return
    print(json.dumps({"init": clock() - begin}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        if "queries" in task:
            ask = getattr(import_module(module), "queries", None)
            answer = ask(engine, task["queries"]) if ask else {}
        else:
            gc.collect()
            # Engines may compile themselves in the warm-up.
            signal.setitimer(signal.ITIMER_PROF, 0 if "warm_up" in task else LIMIT_S)
            answer = measure(engine, tokens.eos, task)
            signal.setitimer(signal.ITIMER_PROF, 0)
            answer["rss"] = peak_rss_bytes()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
