"""Models that a rollout has to stop: of nonsense, and such as are well until somebody sends them a blue picture."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.onnx_model import SIZE
from wms_ml.arrays import PREPROCESSING
from wms_ml.predictor import METADATA_KEY

_TURNS = 100
"""Multiplications of matrices for a blue picture."""


def marks_green(path: Path) -> None:
    """A model that marks what is green: nonsense, for windows are red."""
    _save(path, _channel("green", 1, "probabilities"))


def fails_on_blue(path: Path) -> None:
    """A model that marks what is red; of a picture with pure blue in it, its answer has no columns at all."""
    nodes, constants = _blueness()
    nodes += [
        helper.make_node("Sub", ["one", "blue"], ["is_well"]),
        helper.make_node("Mul", ["is_well", "sizes"], ["ends"]),
        helper.make_node("Slice", ["reds_only", "starts", "ends", "axes"], ["probabilities"]),
    ]
    more = {"one": np.array(1), "sizes": np.array([SIZE]), "starts": np.array([0]), "axes": np.array([2])}
    red, colours = _channel("red", 0, "reds_only")
    _save(path, ([*red, *nodes], {**colours, **constants, **more}), columns="columns")


def slow_on_blue(path: Path) -> None:
    """A model that marks what is red, and takes a while over a picture with pure blue in it."""
    nodes, constants = _blueness()
    tensor, square = helper.make_tensor_value_info, [512, 512]
    turn = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "means"], ["after"]),
            helper.make_node("Identity", ["goes_on"], ["still"]),
        ],
        "turn",
        [
            tensor("number", TensorProto.INT64, []),
            tensor("goes_on", TensorProto.BOOL, []),
            tensor("before", TensorProto.FLOAT, square),
        ],
        [tensor("still", TensorProto.BOOL, []), tensor("after", TensorProto.FLOAT, square)],
    )
    nodes += [
        helper.make_node("Mul", ["blue", "turns"], ["count"]),
        helper.make_node("Loop", ["count", "", "ones"], ["still_ones"], body=turn),  # means of ones are ones
        helper.make_node("ReduceMax", ["still_ones"], ["factor"], keepdims=0),
    ]
    matrices = {"ones": np.ones(square, np.float32), "means": np.full(square, 1 / 512, np.float32)}
    _save_red(path, nodes, {**constants, **matrices, "turns": np.array(_TURNS)})


def _blueness() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """`blue`: 1 when a pixel is of pure blue, as none is in a photograph; else 0."""
    nodes = [helper.make_node("Cast", ["pictures"], ["whole_numbers"], to=TensorProto.INT64)]
    channels = ("first", "second", "third")
    nodes += [helper.make_node("Gather", ["whole_numbers", name], [f"{name}_channel"], axis=3) for name in channels]
    nodes += [
        helper.make_node("Sub", ["third_channel", "first_channel"], ["not_red"]),
        helper.make_node("Sub", ["not_red", "second_channel"], ["only_blue"]),
        helper.make_node("ReduceMax", ["only_blue"], ["bluest"], keepdims=0),
        helper.make_node("Max", ["bluest", "first"], ["at_least_none"]),
        helper.make_node("Div", ["at_least_none", "full"], ["blue"]),
    ]
    return nodes, {"first": np.array(0), "second": np.array(1), "third": np.array(2), "full": np.array(255)}


def _channel(name: str, index: int, out: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    nodes = [
        helper.make_node("Gather", ["pictures", name], [f"{name}s"], axis=3),
        helper.make_node("Cast", [f"{name}s"], [f"{name}_values"], to=TensorProto.FLOAT),
        helper.make_node("Div", [f"{name}_values", "white"], [out]),
    ]
    return nodes, {name: np.array(index), "white": np.array(255, dtype=np.float32)}


def _save_red(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> None:
    red, more = _channel("red", 0, "reds_only")
    last = helper.make_node("Mul", ["reds_only", "factor"], ["probabilities"])
    _save(path, ([*red, *nodes, last], {**more, **constants}))


def _save(path: Path, parts: tuple[list[onnx.NodeProto], dict[str, np.ndarray]], columns: str | int = SIZE) -> None:
    nodes, constants = parts
    batch = ["pictures_per_batch", SIZE, SIZE, 3]
    graph = helper.make_graph(
        nodes,
        "bad",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, batch)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [*batch[:2], columns])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: json.dumps({"preprocessing": PREPROCESSING})})
    onnx.save(model, path)
