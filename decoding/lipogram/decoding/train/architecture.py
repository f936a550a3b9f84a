"""The transformer behind every embedded model, in the form that trains fast on a CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

CHUNK_TOKENS = 128
_HASH_MULTIPLIERS = (1, 40_503, 69_069, 30_011, 16_807)
_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Shape:
    """All that the weights do not say; `windows` has one entry a layer, 0 for unlimited reach."""

    vocabulary_size: int
    width: int
    heads: int
    windows: tuple[int, ...]
    ngram_orders: tuple[int, ...]
    ngram_buckets: int
    ngram_width: int
    context_tokens: int
    causal: bool = True

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def previous_tokens(self) -> int:
        """How many tokens before its input the model looks at when it hashes n-grams."""
        return max(self.ngram_orders, default=1) - 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed rows: `documents` tells texts in a row apart, `positions` restart with each.

    Weight 0 leaves a target out.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    documents: Tensor
    positions: Tensor


def normalise(x: Tensor) -> Tensor:
    """Root-mean-square normalisation without a gain."""
    # ONNX's operator has a gain. Without one here, the graph would make it on each run.
    gain = torch.ones(x.shape[-1]) if torch.compiler.is_exporting() else None
    return functional.rms_norm(x, (x.shape[-1],), gain)


def rotation(positions: Tensor, rotated: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines [..., rotated / 2] of the rotary embedding."""
    frequencies = (1 / 1024) ** torch.linspace(0, 1, rotated // 2)
    angles = positions[..., None].float() * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotates the first half of the head; the second half carries content only."""
    quarter = x.shape[-1] // 4
    left, right, still = x[..., :quarter], x[..., quarter : 2 * quarter], x[..., 2 * quarter :]
    return torch.cat((left * cosines - right * sines, right * cosines + left * sines, still), -1)


def ngram_buckets(tokens: list[Tensor], order: int, buckets: int) -> Tensor:
    """Hash bucket of each n-gram; `tokens[i]` holds the tokens i places back."""
    mixed = sum(
        (tokens[i] * (_HASH_MULTIPLIERS[i] * order) for i in range(order)),
        torch.zeros_like(tokens[0]),
    )
    return torch.remainder(mixed, buckets)


class Embedding(nn.Module):  # type: ignore[misc]
    """Token embeddings plus hashed n-gram embeddings: capacity that costs no arithmetic."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token = nn.Parameter(torch.randn(shape.vocabulary_size, shape.width))
        self.ngrams = nn.ParameterList(
            nn.Parameter(torch.zeros(shape.ngram_buckets, shape.ngram_width))
            for _ in shape.ngram_orders
        )
        self.lift = nn.ParameterList(
            nn.Parameter(torch.randn(shape.width, shape.ngram_width) * shape.ngram_width**-0.5)
            for _ in shape.ngram_orders
        )

    def forward(self, tokens: list[Tensor]) -> Tensor:
        """Embeds `tokens[0]`, with `tokens[i]` the tokens i places back."""
        x = functional.embedding(tokens[0], self.token)
        for order, table, lift in zip(self.shape.ngram_orders, self.ngrams, self.lift, strict=True):
            bucket = ngram_buckets(tokens, order, self.shape.ngram_buckets)
            x = x + functional.embedding(bucket, table) @ lift.T
        return normalise(x)


class Block(nn.Module):  # type: ignore[misc]
    """Attention and feed-forward weights of a layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, scale = shape.width, shape.width**-0.5
        self.shape = shape
        self.query, self.key, self.value = (
            nn.Parameter(torch.randn(width, width) * scale) for _ in range(3)
        )
        self.out = nn.Parameter(torch.zeros(width, width))
        self.up = nn.Parameter(torch.randn(4 * width, width) * scale)
        self.down = nn.Parameter(torch.zeros(width, 4 * width))
        self.sharpness = nn.Parameter(torch.full((shape.heads,), 0.2))
        self.mix = nn.Parameter(torch.tensor([1.0, 0.0]))

    def project(self, x: Tensor, turn: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, T, H, D], keys not yet shifted; `turn` is as `rotate`."""
        heads = (*x.shape[:2], self.shape.heads, self.shape.head_width)
        hidden = normalise(x)
        query, key, value = (
            functional.linear(hidden, w.to(x.dtype)).view(heads)
            for w in (self.query, self.key, self.value)
        )
        query = turn(normalise(query)) * self.sharpness.to(x.dtype)[:, None]
        return query, turn(normalise(key)), value

    def finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Adds what attention gathered ([B, T, width]) and the feed-forward part."""
        x = x + functional.linear(mixed, self.out.to(x.dtype))
        hidden = functional.linear(normalise(x), self.up.to(x.dtype)).relu().square()
        return x + functional.linear(hidden, self.down.to(x.dtype))

    def remix(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Lets the layer see the embedding again."""
        mix = self.mix.to(x.dtype)
        return mix[0] * x + mix[1] * embedded


def shift_keys(key: Tensor, follows: Tensor) -> Tensor:
    """Takes the unrotated half of each key from the token before, if any: copying comes easily."""
    half = key.shape[-1] // 2
    moved = functional.pad(key[:, :-1, :, half:], (0, 0, 0, 0, 1, 0)) * follows[..., None, None].to(
        key.dtype
    )
    return torch.cat((key[..., :half], moved), -1)


def masks(batch: Batch, window: int, causal: bool) -> list[tuple[int, Tensor]]:
    """For each chunk of queries: the first key it sees, and the bias [B, 1, chunk, keys]."""
    length, result = batch.inputs.shape[1], []
    index = torch.arange(length)
    for start in range(0, length, CHUNK_TOKENS):
        stop = min(start + CHUNK_TOKENS, length)
        low = max(0, start - window + 1) // CHUNK_TOKENS * CHUNK_TOKENS if window else 0
        high = stop if causal else min(length, stop + window - 1 if window else length)
        distance = index[start:stop, None] - index[None, low:high]
        seen = (distance >= 0) if causal else torch.ones_like(distance, dtype=torch.bool)
        if window:
            seen = seen & (distance.abs() < window)
        seen = seen & (batch.documents[:, start:stop, None] == batch.documents[:, None, low:high])
        result.append((low, torch.where(seen, 0.0, _NEVER).to(torch.bfloat16)[:, None]))
    return result


def attend(query: Tensor, key: Tensor, value: Tensor, biases: list[tuple[int, Tensor]]) -> Tensor:
    """Chunked attention over [B, T, H, D]; returns [B, T, H * D]."""
    query, key, value = (x.transpose(1, 2) for x in (query, key, value))
    mixed, start = [], 0
    for low, bias in biases:
        stop, high = start + bias.shape[2], low + bias.shape[3]
        scores = query[:, :, start:stop] @ key[:, :, low:high].transpose(-1, -2) + bias
        mixed.append(scores.softmax(-1) @ value[:, :, low:high])
        start = stop
    return torch.cat(mixed, 2).transpose(1, 2).flatten(2)


class Transformer(nn.Module):  # type: ignore[misc]
    """Row i scores token i + 1, seeing what precedes it if causal, else the whole text."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = Embedding(shape)
        self.blocks = nn.ModuleList(Block(shape) for _ in shape.windows)
        self.head = nn.Parameter(torch.zeros(shape.vocabulary_size, shape.width))

    def hidden(self, batch: Batch) -> Tensor:
        """The normalised last layer, bfloat16[B, T, width]."""
        shape = self.shape
        rows = [batch.inputs]
        for _ in range(shape.previous_tokens):
            rows.append(functional.pad(rows[-1][:, :-1], (1, 0)))
        rows = [torch.where(batch.positions >= back, row, 0) for back, row in enumerate(rows)]
        embedded = self.embedding(rows).to(torch.bfloat16)
        cosines, sines = (
            turn.to(torch.bfloat16)[:, :, None]
            for turn in rotation(batch.positions, shape.head_width // 2)
        )
        turn = partial(rotate, cosines=cosines, sines=sines)
        biases = {window: masks(batch, window, shape.causal) for window in set(shape.windows)}
        follows, x = batch.positions > 0, embedded
        for block, window in zip(self.blocks, shape.windows, strict=True):
            assert isinstance(block, Block)
            x = block.remix(x, embedded)
            query, key, value = block.project(x, turn)
            key = shift_keys(key, follows)
            x = block.finish(x, attend(query, key, value, biases[window]))
        return normalise(x)

    def loss(self, batch: Batch) -> Tensor:
        """Weighted mean cross-entropy in nats."""
        hidden = self.hidden(batch).flatten(0, 1)
        weights = batch.weights.flatten()
        losses: Tensor = CrossEntropy.apply(
            hidden, self.head, batch.targets.flatten(), weights / weights.sum()
        )
        return losses


class CrossEntropy(torch.autograd.Function):  # type: ignore[misc]
    """Head and cross-entropy in one pass over blocks that fit the cache: logits are never kept."""

    @staticmethod
    def forward(ctx, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        """Sums the weighted losses, and computes the gradients on the way."""
        matrix = head.to(hidden.dtype)
        total, to_hidden, to_head = (
            torch.zeros(()),
            torch.empty_like(hidden),
            torch.zeros_like(head),
        )
        for rows in torch.arange(len(hidden)).split(256):
            block = slice(int(rows[0]), int(rows[-1]) + 1)
            logs = (hidden[block] @ matrix.T).float().log_softmax(-1)
            chosen = targets[block, None]
            total += -(logs.gather(1, chosen)[:, 0] * weights[block]).sum()
            slope = logs.exp_().scatter_add_(1, chosen, torch.full_like(logs[:, :1], -1.0))
            slope = (slope * weights[block, None] * len(hidden)).to(hidden.dtype)
            to_hidden[block] = slope @ matrix
            to_head += slope.T @ hidden[block]
        ctx.save_for_backward(to_hidden, to_head)
        return total

    @staticmethod
    def backward(ctx, *upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[no-untyped-def]
        """Scales the stored gradients back (they were kept larger for bfloat16's sake)."""
        to_hidden, to_head = ctx.saved_tensors
        scale = upstream[0] / len(to_hidden)
        return to_hidden * scale, to_head * scale, None, None
