"""Exported causal graphs, looked into: the output matrix, and the hidden states before it."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_STATES = "hidden"
_FIRST_SCORED = "first_scored"


def show_states(model: onnx.ModelProto) -> onnx.ModelProto:
    """Makes what the output matrix is applied to an output, `hidden`; the weights stay as they are.

    A graph that shows it already is left alone.
    """
    graph = model.graph
    if any(output.name == _STATES for output in graph.output):
        return model
    product = _product(model)
    old = product.input[0]
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = _STATES
    kept = [value for value in graph.value_info if value.name != old]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    logits = next(output for output in graph.output if output.name == "logits")
    axes = [axis.dim_param or axis.dim_value for axis in logits.type.tensor_type.shape.dim[:2]]
    shape = [*axes, output_matrix(model).shape[1]]
    graph.output.append(helper.make_tensor_value_info(_STATES, TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    return model


def score_from(model: onnx.ModelProto) -> onnx.ModelProto:
    """Makes the first place that gets scores an input, `first_scored` int64[1].

    Long prompts are read for their caches: scores of all their places are an eighth of the work.
    """
    graph = model.graph
    if any(each.name == _FIRST_SCORED for each in graph.input):
        return model
    product = _product(model)
    graph.input.append(helper.make_tensor_value_info(_FIRST_SCORED, TensorProto.INT64, [1]))
    for name, value in (("last", np.iinfo(np.int64).max), ("axis", 1)):
        stored = numpy_helper.from_array(np.array([value], np.int64), f"{_FIRST_SCORED}.{name}")
        graph.initializer.append(stored)
    bounds = [_FIRST_SCORED, f"{_FIRST_SCORED}.last", f"{_FIRST_SCORED}.axis"]
    cut = helper.make_node("Slice", [product.input[0], *bounds], ["scored"])
    graph.node.insert(list(graph.node).index(product), cut)
    product.input[0] = "scored"
    logits = next(output for output in graph.output if output.name == "logits")
    logits.type.tensor_type.shape.dim[1].dim_param = "scored"
    onnx.checker.check_model(model)
    return model


def output_matrix(model: onnx.ModelProto) -> NDArray[np.float32]:
    """The matrix float32[V, width] that makes scores of states."""
    graph = model.graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    right = _product(model).input[1]
    if right in stored:
        matrix = stored[right]
    else:
        cast, scale = made[right].input
        matrix = stored[made[cast].input[0]].astype(np.float32) * stored[scale]
    return np.ascontiguousarray(matrix.T)


def _product(model: onnx.ModelProto) -> onnx.NodeProto:
    product = next(node for node in model.graph.node if "logits" in node.output)
    if product.op_type != "MatMul":
        raise ValueError(f"expected logits made by a MatMul, found {product.op_type}")
    return product
