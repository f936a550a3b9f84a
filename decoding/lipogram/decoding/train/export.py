"""Writing a trained model as ONNX, weights in int8; causal ones with caches as in `growing`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from lipogram.decoding.train import graphs
from lipogram.decoding.train.architecture import Block, Shape, Transformer, normalise, rotation

_OPSET = 23  # the first with RMSNormalization and RotaryEmbedding
_NEVER = -1e4
_SMALLEST_COMPRESSED = 4096


class CachedDecoder(nn.Module):  # type: ignore[misc]
    """The causal model over new tokens and what is kept of those before.

    Each row's past may be padded on the left and its new tokens on the right. A layer keeps keys
    and values [B, P, H, D], where it has a window the last ones, of the window's length at least.
    Keys are kept shifted; the part that the first new key gets comes apart, [B, 1, H, D / 2].
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        previous_ids: Tensor,
        *past: Tensor,
    ) -> tuple[Tensor, ...]:
        """Logits [B, T, V], then each layer's new keys [B, T + 1, H, D] and values [B, T, H, D].

        Of the key after the last, only the shifted half is there.
        """
        shape, length = self.model.shape, input_ids.shape[1]
        known = torch.cat((previous_ids, input_ids), 1)
        reach = shape.previous_tokens
        rows = [known[:, reach - back : reach - back + length] for back in range(reach + 1)]
        rows = [torch.where(position_ids >= back, row, 0) for back, row in enumerate(rows)]
        x = embedded = self.model.embedding(rows)
        turn = _turning(shape, position_ids)
        present: list[Tensor] = []
        biases: dict[int, Tensor] = {}
        for index, (block, window) in enumerate(zip(self.model.blocks, shape.windows, strict=True)):
            assert isinstance(block, Block)
            keys, values, follows = past[3 * index : 3 * index + 3]
            if window not in biases:
                biases[window] = _bias(attention_mask, keys.shape[0], length, window)
            x = block.remix(x, embedded)
            query, key, value = block.project(x, turn)
            key = _shifted(key, follows)
            present += [key, value]
            new_keys, new_values = key[:, :-1].transpose(0, 1), value.transpose(0, 1)
            mixed = _attend(query, (keys, new_keys), (values, new_values), biases[window])
            x = block.finish(x, mixed)
        return normalise(x) @ self.model.head.T, *present


def _turning(shape: Shape, positions: Tensor) -> Callable[[Tensor], Tensor]:
    """`rotate` as one operator, at positions [B, T]."""
    cosines, sines = rotation(positions, shape.head_width // 2)

    def turn(x: Tensor) -> Tensor:
        turned = torch.onnx.ops.rotary_embedding(
            x.flatten(2), cosines, sines, num_heads=shape.heads,
            rotary_embedding_dim=shape.head_width // 2,
        )  # fmt: skip
        return turned.view(x.shape)

    return turn


def _shifted(key: Tensor, follows: Tensor) -> Tensor:
    """See `shift_keys`: [B, T, H, D] -> [B, T + 1, H, D], the first with half a key of before."""
    half = key.shape[-1] // 2
    still = functional.pad(key[..., :half], (0, 0, 0, 0, 0, 1))
    return torch.cat((still, torch.cat((follows, key[..., half:]), 1)), -1)


def _attend(
    query: Tensor, keys: tuple[Tensor, Tensor], values: tuple[Tensor, Tensor], bias: Tensor
) -> Tensor:
    """Attention [B, T, H, D] over what was and what is new; neither is copied to join them."""
    batch, length, heads, width = query.shape
    query = query.transpose(0, 1).flatten(1, 2).transpose(0, 1)
    scores = torch.cat([query @ part.flatten(1, 2).permute(1, 2, 0) for part in keys], -1)
    weights = (scores.view(batch, heads, length, -1) + bias).softmax(-1).flatten(0, 1)
    past = keys[0].shape[0]
    shares = weights[..., :past], weights[..., past:]
    parts = zip(shares, values, strict=True)
    old, new = (share @ part.flatten(1, 2).transpose(0, 1) for share, part in parts)
    return (old + new).view(batch, heads, length, width).transpose(1, 2).flatten(2)


def _bias(attention_mask: Tensor, past: int, length: int, window: int) -> Tensor:
    """Zero where a new token sees one of the last `past` or a new one, [B, 1, T, past + T]."""
    keys = past + length
    distance = torch.arange(past, keys)[:, None] - torch.arange(keys)[None, :]
    seen = (distance >= 0) & (distance < window) if window else distance >= 0
    real = attention_mask[:, attention_mask.shape[1] - keys :] > 0
    return torch.where(seen[None] & real[:, None, :], 0.0, _NEVER)[:, None]


class Denoiser(nn.Module):  # type: ignore[misc]
    """The masked model over whole canvases of one length."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits [B, L, V]; row i scores slot i, and the first, which nothing precedes, is zero."""
        shape, length = self.model.shape, input_ids.shape[1]
        padded = functional.pad(input_ids, (shape.previous_tokens, 0))
        rows = [
            padded[:, shape.previous_tokens - back : shape.previous_tokens - back + length]
            for back in range(shape.previous_tokens + 1)
        ]
        x = embedded = self.model.embedding(rows)
        positions = torch.arange(length)
        turn = _turning(shape, positions + torch.zeros_like(input_ids))
        distance = (positions[:, None] - positions[None, :]).abs()
        for block, window in zip(self.model.blocks, shape.windows, strict=True):
            assert isinstance(block, Block)
            x = block.remix(x, embedded)
            query, key, value = block.project(x, turn)
            key = _shifted(key, torch.zeros_like(key[:, :1, :, key.shape[-1] // 2 :]))[:, :-1]
            query, key, value = (part.transpose(1, 2) for part in (query, key, value))
            scores = query @ key.transpose(-1, -2)
            if window:
                scores = scores + torch.where(distance < window, 0.0, _NEVER)
            x = block.finish(x, (scores.softmax(-1) @ value).transpose(1, 2).flatten(2))
        logits = normalise(x) @ self.model.head.T
        return functional.pad(logits[:, :-1], (0, 0, 1, 0))


def export(model: Transformer, file: Path) -> None:
    """Writes the model; it differs from the trained one by the rounding of weights alone."""
    model = model.eval()
    if model.shape.causal:
        proto = graphs.score_from(graphs.show_states(compress(_export_causal(model))))
    else:
        proto = compress(_export_masked(model))
    onnx.helper.set_model_props(proto, {"windows": ",".join(map(str, model.shape.windows))})
    onnx.checker.check_model(proto)
    onnx.save(proto, str(file))


def _export_masked(model: Transformer) -> onnx.ModelProto:
    axes = {
        0: torch.export.Dim("batch", min=1, max=1024),
        1: torch.export.Dim("length", min=2, max=8192),
    }
    program = torch.onnx.export(
        Denoiser(model), (torch.zeros(2, 8, dtype=torch.long),), dynamo=True, opset_version=_OPSET,
        input_names=["input_ids"], output_names=["logits"], dynamic_shapes=(axes,),
    )  # fmt: skip
    assert program is not None
    return program.model_proto


def _export_causal(model: Transformer) -> onnx.ModelProto:
    shape, batch, past, new = model.shape, 2, 5, 3
    layers, whole = len(shape.windows), torch.ones(batch, past + new, dtype=torch.long)
    heads, width = shape.heads, shape.head_width
    caches = [
        torch.zeros(*sizes)
        for window in shape.windows
        for sizes in [(past - bool(window), batch, heads, width)] * 2
        + [(batch, 1, heads, width // 2)]
    ]
    inputs = (whole[:, :new], whole, whole[:, :new], whole[:, : shape.previous_tokens])
    rows = torch.export.Dim("batch", min=1, max=1024)
    cached, seen, fresh = (
        torch.export.Dim("past", min=0, max=8192),
        torch.export.Dim("seen", min=0, max=8192),
        torch.export.Dim("new", min=1, max=8192),
    )
    free = torch.export.Dim.DYNAMIC
    parts = ("key", "value", "follows")
    names = [f"{i}.{part}" for i in range(layers) for part in parts]
    program = torch.onnx.export(
        CachedDecoder(model), (*inputs, *caches), dynamo=True, opset_version=_OPSET,
        input_names=["input_ids", "attention_mask", "position_ids", "previous_ids"]
        + [f"past_key_values.{name}" for name in names],
        output_names=["logits"] + [f"present.{i}.{p}" for i in range(layers) for p in parts[:2]],
        dynamic_shapes=(
            {0: rows, 1: fresh}, {0: rows, 1: free}, {0: rows, 1: fresh}, {0: rows},
            tuple(
                {0: rows} if part == "follows" else {0: seen if window else cached, 1: rows}
                for window in shape.windows
                for part in parts
            ),
        ),
    )  # fmt: skip
    assert program is not None
    return program.model_proto


def compress(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores large matrices as int8 with one scale a row.

    Tables are looked up in that form; the other matrices unfold once, when a session loads them.
    """
    graph, unfolding = model.graph, []
    for stored in list(graph.initializer):
        matrix = numpy_helper.to_array(stored)
        if matrix.dtype != np.float32 or matrix.ndim != 2 or matrix.size < _SMALLEST_COMPRESSED:
            continue
        graph.initializer.remove(stored)
        whole, scale = rounded(matrix)
        graph.initializer.append(numpy_helper.from_array(whole, f"{stored.name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{stored.name}.scale"))
        users = [node for node in graph.node if stored.name in node.input]
        for node in [node for node in users if node.op_type == "Gather"]:
            _look_up(graph, node, stored.name)
        if any(node.op_type != "Gather" for node in users):
            unfolding += _unfold(
                stored.name, f"{stored.name}.int8", f"{stored.name}.scale", stored.name
            )
    for node in reversed(unfolding):
        graph.node.insert(0, node)
    return model


def rounded(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The matrix as int8, and a scale for each row."""
    scale = np.maximum(np.abs(matrix).max(1, keepdims=True) / 127, 1e-12).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale


def _unfold(prefix: str, whole: str, scale: str, result: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Cast", [whole], [f"{prefix}.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{prefix}.float", scale], [result]),
    ]


def _look_up(graph: onnx.GraphProto, node: onnx.NodeProto, name: str) -> None:
    place, (indices, result) = list(graph.node).index(node), (node.input[1], node.output[0])
    graph.node.remove(node)
    nodes = [
        helper.make_node("Gather", [f"{name}.{part}", indices], [f"{result}.{part}"], axis=0)
        for part in ("int8", "scale")
    ] + _unfold(result, f"{result}.int8", f"{result}.scale", result)
    for new in reversed(nodes):
        graph.node.insert(place, new)
