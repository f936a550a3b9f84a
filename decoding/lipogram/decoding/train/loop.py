"""The training loop: CPU time, not a step count, decides when to end, and the rates follow it."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lipogram.decoding.train import optimizer

_WARM_UP = 0.02
_DECAY_FROM = 0.45
_CHECKPOINT_SECONDS = 240.0
_REPORT_SECONDS = 90.0


@dataclass(slots=True)
class Progress:
    """What survives an interruption besides weights; `curve`: (seconds, tokens, loss, probe)."""

    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    curve: list[tuple[float, int, float, float]] = field(default_factory=list)


def rate(done: float) -> float:
    """Learning-rate factor at a fraction of the time: warm up, hold, then fall straight to zero."""
    return min(1.0, done / _WARM_UP, (1 - done) / (1 - _DECAY_FROM))


def train(
    model: nn.Module,
    chosen: list[torch.optim.Optimizer],
    data: Iterator[Any],
    minutes: float,
    folder: Path,
    probe: Callable[[], float],
) -> Progress:
    """Trains for some minutes of CPU time, resuming from `folder`; `probe` measures for the curve.

    `data` are what `model.loss` takes, with `inputs`.
    """
    progress = _resume(model, chosen, folder)
    saved = reported = time.process_time()
    recent: list[float] = []
    while progress.seconds < 60 * minutes:
        started = time.process_time()
        optimizer.scale_rates(chosen, rate(progress.seconds / (60 * minutes)))
        batch = next(data)
        recent.append(_step(model, chosen, batch))
        progress.steps += 1
        progress.tokens += batch.inputs.numel()
        now = time.process_time()
        progress.seconds += now - started
        if now - reported > _REPORT_SECONDS:
            progress.curve.append(
                (progress.seconds, progress.tokens, sum(recent) / len(recent), probe())
            )
            print(json.dumps(progress.curve[-1]), flush=True)
            recent, reported = [], time.process_time()
        if now - saved > _CHECKPOINT_SECONDS:
            _save(model, chosen, progress, folder)
            saved = now
    progress.curve.append(
        (progress.seconds, progress.tokens, sum(recent) / max(1, len(recent)), probe())
    )
    _save(model, chosen, progress, folder)
    return progress


def _step(model: nn.Module, chosen: list[torch.optim.Optimizer], batch: Any) -> float:
    loss = model.loss(batch)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    for each in chosen:
        each.step()
        each.zero_grad(set_to_none=True)
    return float(loss.item())


def _save(
    model: nn.Module, chosen: list[torch.optim.Optimizer], progress: Progress, folder: Path
) -> None:
    state = {
        "model": model.state_dict(),
        "optimizers": [each.state_dict() for each in chosen],
        "progress": asdict(progress),
    }
    torch.save(state, folder / "checkpoint.new")
    (folder / "checkpoint.new").replace(folder / "checkpoint.pt")


def _resume(model: nn.Module, chosen: list[torch.optim.Optimizer], folder: Path) -> Progress:
    file = folder / "checkpoint.pt"
    if not file.exists():
        return Progress()
    state = torch.load(file, weights_only=True)
    model.load_state_dict(state["model"])
    for each, saved in zip(chosen, state["optimizers"], strict=True):
        each.load_state_dict(saved)
    return Progress(**state["progress"])
