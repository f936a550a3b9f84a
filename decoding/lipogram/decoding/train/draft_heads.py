"""Draft heads: a small network over a model's last hidden states that guesses ahead of it.

After Chimera (Zeng et al. 2024): the last few tokens as sums of looked-up vectors, and a light
attention over the states of what the model has read. A guess stands `lag` tokens after the last
state that is known, so that drafts go on where there are no states yet: what was drafted in between
is seen as tokens alone. Any model will do that shows its states and its output matrix.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lipogram.decoding.train.architecture import normalise

ORDER = 4  # tokens that a guess looks back on
LAGS = 8  # told apart; longer ones are as the longest
_MOST_LAG = 16
_GUESSED_SHARE = 0.4  # of a row's tokens


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes; `width` is that of the model's states."""

    vocabulary_size: int
    width: int
    heads: int = 4
    layers: int = 2
    inner: int = 384


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of tokens, the model's state after each, and what guessing each token is worth."""

    inputs: Tensor
    states: Tensor
    weights: Tensor


def _drawn(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, columns) * columns**-0.5)


class Entry(nn.Module):  # type: ignore[misc]
    """What a guess begins with: the tokens before it, the last state, and how old that is."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.places = nn.ParameterList(_drawn(shape.width, shape.width) for _ in range(ORDER))
        self.state = nn.Parameter(torch.eye(shape.width))

    def forward(self, tokens: list[Tensor], state: Tensor) -> Tensor:
        """`tokens[n]` are the vectors of the tokens n places back."""
        x = state @ self.state.T
        for vectors, place in zip(tokens, self.places, strict=True):
            x = x + vectors @ place.T
        return x


class Layer(nn.Module):  # type: ignore[misc]
    """Attention over what was read, or over nothing, and a feed-forward part."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query, self.key = (
            _drawn(shape.width, shape.width),
            _drawn(shape.width, 3 * shape.width),
        )
        self.value = _drawn(shape.width, 2 * shape.width)
        self.out = nn.Parameter(torch.zeros(shape.width, shape.width))
        self.up = _drawn(shape.inner, shape.width)
        self.down = nn.Parameter(torch.zeros(shape.width, shape.inner))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
        """`seen` bool[B, Q, T] says which entries each guess may look at."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (normalise(x) @ self.query.T, keys @ self.key.T, values @ self.value.T)
        )
        scores = query @ key.transpose(-1, -2) * key.shape[-1] ** -0.5
        scores = torch.where(seen[:, None], scores, -1e4)
        scores = torch.cat((torch.zeros_like(scores[..., :1]), scores), -1)
        mixed = scores.softmax(-1)[..., 1:] @ value
        x = x + mixed.transpose(1, 2).flatten(2) @ self.out.T
        return x + (normalise(x) @ self.up.T).relu().square() @ self.down.T


class DraftHeads(nn.Module):  # type: ignore[misc]
    """Guesses tokens; `output` is the model's own output matrix [V, width], to begin with."""

    def __init__(self, shape: Shape, output: Tensor, seed: int) -> None:
        super().__init__()
        self.shape = shape
        self.target = output
        self.token = nn.Parameter(torch.randn(shape.vocabulary_size, shape.width) * 0.5)
        self.lag = nn.Parameter(torch.zeros(LAGS + 1, shape.width))
        self.blocks = nn.ModuleList([Entry(shape), *(Layer(shape) for _ in range(shape.layers))])
        self.head = nn.Parameter(output.clone())
        self._generator = torch.Generator().manual_seed(seed)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam, faster for what is looked up."""
        looked_up = [self.token, self.lag]
        others = [each for each in self.parameters() if all(each is not one for one in looked_up)]
        groups = [
            {"params": looked_up, "lr": 0.01, "base_rate": 0.01},
            {"params": others, "lr": 0.002, "base_rate": 0.002},
        ]
        return [torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True)]

    def forward(self, batch: Batch, places: Tensor, lags: Tensor) -> Tensor:
        """Scores [B, Q, V] of what follows index `places`, states known up to `places - lags`."""
        vectors = self.token[batch.inputs]
        before = [
            functional.pad(vectors, (0, 0, n, 0))[:, : vectors.shape[1]] for n in range(ORDER)
        ]
        last = places - lags
        entry, *layers = self.blocks
        x = entry([_at(each, places) for each in before], _at(batch.states, last))
        x = x + self.lag[lags.clamp(max=LAGS)]
        keys = torch.cat((batch.states, vectors, before[1]), -1)
        values = _following(torch.cat((batch.states, vectors), -1))
        seen = torch.arange(vectors.shape[1]) < last[..., None]
        for layer in layers:
            x = layer(x, keys, values, seen)
        return normalise(x) @ self.head.T

    def drawn(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Places to guess at, by the weight of what follows, and lags, mostly short ones."""
        worth = functional.pad(batch.weights, (0, 1))[:, 1:].clone()
        worth[:, 0] = 0  # nothing is known there
        size = max(1, int(_GUESSED_SHARE * worth.shape[1]))
        places = torch.multinomial(worth + 1e-9, size, generator=generator)
        places = places.clamp(min=1)
        shares = torch.arange(1, _MOST_LAG + 1).float() ** -1.2
        lags = 1 + torch.multinomial(shares, places.numel(), True, generator=generator)
        return places, torch.minimum(lags.view(places.shape), places)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy to what the model itself would say, in nats."""
        places, lags = self.drawn(batch, self._generator)
        scores = self(batch, places, lags).log_softmax(-1)
        wanted = (_at(batch.states, places) @ self.target.T).softmax(-1)
        weights = _at(batch.weights, (places + 1).clamp(max=batch.weights.shape[1] - 1))
        losses: Tensor = -(wanted * scores).sum(-1)
        return (losses * weights).sum() / weights.sum()

    def agreement(self, batches: Iterable[Batch], lag: int) -> float:
        """How often the likeliest guess is the model's likeliest token."""
        generator, right, total = torch.Generator().manual_seed(1), 0.0, 0.0
        with torch.no_grad():
            for batch in batches:
                places, _ = self.drawn(batch, generator)
                lags = torch.minimum(torch.full_like(places, lag), places)
                guesses = self(batch, places, lags).argmax(-1)
                wanted = (_at(batch.states, places) @ self.target.T).argmax(-1)
                weights = _at(batch.weights, (places + 1).clamp(max=batch.weights.shape[1] - 1))
                right += float(((guesses == wanted) * weights).sum())
                total += float(weights.sum())
        return right / total


def _at(rows: Tensor, places: Tensor) -> Tensor:
    """rows[b, places[b, q]]."""
    if rows.ndim == 2:
        return rows.gather(1, places)
    return rows.gather(1, places[..., None].expand(-1, -1, rows.shape[-1]))


def _following(rows: Tensor) -> Tensor:
    return functional.pad(rows, (0, 0, 0, 1))[:, 1:]
