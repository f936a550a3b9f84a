"""make bench: prints a table and writes JSON with versions, seed and machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from pathlib import Path

from benchmarks import masks

PACKAGES = ("lipogram", "numba", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--vocabulary", type=Path, help="an .npz of tokens (default: embedded-4k's)"
    )
    parser.add_argument("--schemas", type=Path, help="a .jsonl.gz of schemas (default: generated)")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    options = parser.parse_args()
    rows = masks.load_schemas(options.schemas, options.count, options.seed)
    result = masks.measure(rows, masks.load_vocabulary(options.vocabulary))
    print(f"{'':14} {'mean':>10} {'p50':>10} {'p90':>10} {'p99':>10} {'max':>10}")
    for name, row in result.items():
        if isinstance(row, dict):
            print(f"{name:14} " + " ".join(f"{value:10.1f}" for value in row.values()))
        else:
            print(f"{name:14} {row:10}")
    if options.out:
        about = {
            "machine": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "seed": options.seed,
            "vocabulary": options.vocabulary.name if options.vocabulary else "embedded-4k",
        }
        options.out.write_text(json.dumps(about | {"masks": result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
