"""Muon for matrices, Adam for everything else, each with a rate that the schedule scales."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def orthogonalise(gradient: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: five steps of a quintic Newton iteration."""
    x = gradient.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return (x.T if tall else x).to(gradient.dtype)


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """Momentum whose every update is made orthogonal."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float, momentum: float, decay: float
    ) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: None = None) -> None:
        """Updates each matrix; wide ones move further, by the square root of their aspect."""
        for group in self.param_groups:
            for parameter in group["params"]:
                average = self.state[parameter].setdefault("average", torch.zeros_like(parameter))
                average.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalise(parameter.grad.lerp(average, group["momentum"]))
                stretch = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["decay"]).add_(
                    update, alpha=-group["lr"] * stretch
                )


def optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon over the matrices inside blocks; Adam over embeddings, head and scalars."""
    matrices: list[nn.Parameter] = []
    embeddings: list[nn.Parameter] = []
    heads: list[nn.Parameter] = []
    scalars: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            scalars.append(parameter)
        elif name.startswith("blocks"):
            matrices.append(parameter)
        else:
            (heads if name == "head" or ".lift." in name else embeddings).append(parameter)
    groups = [
        {"params": embeddings, "lr": 0.02, "weight_decay": 0.0},
        {"params": heads, "lr": 0.004, "weight_decay": 0.0},
        {"params": scalars, "lr": 0.01, "weight_decay": 0.0},
    ]
    chosen: list[torch.optim.Optimizer] = [
        Muon(matrices, rate=0.02, momentum=0.95, decay=0.1),
        torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-10, fused=True),
    ]
    for optimizer in chosen:
        for group in optimizer.param_groups:
            group["base_rate"] = group["lr"]
    return chosen


def scale_rates(chosen: list[torch.optim.Optimizer], factor: float) -> None:
    """Sets every rate to `factor` times its base."""
    for optimizer in chosen:
        for group in optimizer.param_groups:
            group["lr"] = group["base_rate"] * factor
