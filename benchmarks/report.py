"""From what the workers measured to one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

ROWS = {
    "first": "time to first mask",
    "compile": "compile",
    "mask": "mask",
    "warm": "mask, second pass",
    "commit": "commit",
}


def summary(times: Sequence[int]) -> dict[str, float] | None:
    """Microseconds, from nanoseconds."""
    if not times:
        return None
    array = np.array(times) / 1e3
    figures = {f"p{p}": float(np.percentile(array, p)) for p in (50, 90, 99)}
    return {"mean": float(array.mean()), **figures, "max": float(array.max())}


def group_summary(answers: list[dict[str, Any]], valid: list[list[bool]]) -> dict[str, Any]:
    """One engine on one group of grammars; `valid` says what each text should be."""
    made = [(a, v) for a, v in zip(answers, valid, strict=True) if a["outcome"] == "compiled"]
    judged = [pair for a, v in made for pair in zip(a["accepted"], v, strict=True)]
    times = {name: summary([t for a, _ in made for t in _listed(a.get(name, []))]) for name in ROWS}
    return {
        "grammars": len(answers),
        "compiled": len(made),
        "died": sum(a["outcome"].startswith("died") for a in answers),
        "valid accepted": [sum(a is True for a, v in judged if v), sum(v for _, v in judged)],
        "invalid rejected": [
            sum(a is False for a, v in judged if not v),
            sum(not v for _, v in judged),
        ],
        "tokens": sum(len(a["mask"]) for a, _ in made),
    } | times


def _listed(times: int | list[int]) -> list[int]:
    return times if isinstance(times, list) else [times]


def table(results: dict[str, dict[str, Any]]) -> str:
    """Engines side by side, group by group; times in microseconds."""
    present = {name: r for name, r in results.items() if "absent" not in r}
    lines = [f"{name}: absent ({r['absent']})" for name, r in results.items() if "absent" in r]
    groups = list(dict.fromkeys(group for r in present.values() for group in r["groups"]))
    for group in groups:
        own = [r["groups"][group] for r in present.values()]
        rows = [("mean / p50 / p90 / p99 / max", list(present))]
        rows += [("compiled", [f"{r['compiled']} of {r['grammars']}" for r in own])]
        for name in ("valid accepted", "invalid rejected"):
            rows.append((name, ["{} of {}".format(*r[name]) for r in own]))
        rows += [(f"{ROWS[name]}, us", [_times(r[name]) for r in own]) for name in ROWS]
        lines += ["", f"{group}:", *_aligned(rows)]
    lines += ["", "process:"]
    whole = [
        ("", list(present)),
        ("engine made, ms", [f"{r['init_ms']:.0f}" for r in present.values()]),
        ("peak RSS, MB", [f"{r['peak_rss_mb']:.0f}" for r in present.values()]),
    ]
    lines += _aligned(whole)
    for name, result in present.items():
        if result["queries"]:
            rows = [(f"{query}, us", [_times(row)]) for query, row in result["queries"].items()]
            lines += ["", f"{name}, other queries:", *_aligned(rows)]
    return "\n".join(lines)


def _times(row: dict[str, float] | None) -> str:
    if row is None:
        return "-"
    return " / ".join(f"{value:,.1f}" if value < 100 else f"{value:,.0f}" for value in row.values())


def _aligned(rows: Iterable[tuple[str, list[str]]]) -> list[str]:
    return [f"  {name:29}" + "".join(f" {cell:>46}" for cell in cells) for name, cells in rows]
