"""Graphs that are rewritten say the same with fewer products; what only looks alike is left as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wms_ml.export import export
from wms_ml.graph import lighten
from wms_ml.network import build
from wms_ml.quiet_openvino import openvino
from wms_ml.recipe import Recipe

_ROUNDING = 1e-5
_DOUBLED = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_KEEPS_SIZE = {"pads": [1, 1, 1, 1]}


@dataclass
class Drawn:
    """An ONNX graph under construction, whose weights and pictures are random."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: dict[str, Sequence[int | str]] = field(default_factory=dict)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)

    def features(self, channels: int, height: int | str, width: int) -> str:
        name = f"input{len(self.inputs)}"
        self.inputs[name] = (1, channels, height, width)
        return name

    def node(self, kind: str, *sources: str, **attributes: Any) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, sources, [name], **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        name = f"weight{len(self.weights)}"
        self.weights[name] = value
        return name

    def resized(self, source: str, scale: float = 2, **attributes: Any) -> str:
        scales = self.constant(np.array([1, 1, scale, scale], np.float32))
        return self.node("Resize", source, "", scales, **(attributes or _DOUBLED))

    def convolved(self, source: str, shape: Sequence[int], **attributes: Any) -> str:
        random = np.random.default_rng(len(self.nodes))
        weights = self.constant(random.normal(size=shape).astype(np.float32) / 10)
        bias = self.constant(random.normal(size=shape[0]).astype(np.float32))
        return self.node("Conv", source, weights, bias, **(attributes or _KEEPS_SIZE))

    def content(self, result: str) -> bytes:
        """The graph that ends in `result`, as an ONNX file."""
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.inputs.items()]
        said = [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)]
        stored = [numpy_helper.from_array(value, name) for name, value in self.weights.items()]
        graph = helper.make_graph(self.nodes, "drawn", given, said, stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return bytes(model.SerializeToString())


def rewritten(content: bytes, shapes: dict[str, Sequence[int]]) -> int:
    """How many convolutions were, after the same answers were seen from onnxruntime, which runs the graph as drawn."""
    random = np.random.default_rng(0)
    shown = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    (expected,) = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, shown)
    core = openvino.Core()
    model = core.read_model(content)
    count = lighten(model)
    told = {"INFERENCE_PRECISION_HINT": "f32"}
    found = core.compile_model(model, "CPU", told)(shown)[0]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < _ROUNDING * np.abs(expected).max()
    return count


def rewrites(drawn: Drawn, result: str) -> int:
    return rewritten(drawn.content(result), {name: list(map(int, shape)) for name, shape in drawn.inputs.items()})


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 9), (1, 1)])
def test_doubled_features_are_convolved_before_they_are_doubled(height: int, width: int) -> None:
    drawn = Drawn()
    doubled = drawn.resized(drawn.features(6, height, width))
    assert rewrites(drawn, drawn.convolved(doubled, (4, 6, 3, 3))) == 1


@pytest.mark.parametrize("order", ["Da", "aD", "Dab", "aDb", "DbaD"])
def test_among_others_wherever_they_stand(order: str) -> None:
    """D: doubled; a and b: as they are."""
    drawn, channels = Drawn(), {"D": 5, "a": 3, "b": 2}
    parts = [
        drawn.resized(drawn.features(5, 6, 7)) if each == "D" else drawn.features(channels[each], 12, 14)
        for each in order
    ]
    together = drawn.node("Concat", *parts, axis=1)
    assert rewrites(drawn, drawn.convolved(together, (8, sum(map(channels.__getitem__, order)), 3, 3))) == 1


def test_what_is_doubled_once_may_be_used_twice() -> None:
    drawn = Drawn()
    doubled = drawn.resized(drawn.features(6, 8, 8))
    both = [drawn.convolved(doubled, (4, 6, 3, 3)) for _ in range(2)]
    assert rewrites(drawn, drawn.node("Sub", *both)) == 2


@pytest.mark.parametrize("source", ["as it is", "doubled"])
def test_a_single_channel_is_worked_out_in_blocks(source: str) -> None:
    drawn = Drawn()
    features = drawn.features(6, 12, 8)
    if source == "doubled":
        features = drawn.resized(features)
    assert rewrites(drawn, drawn.convolved(features, (1, 6, 3, 3))) == 1


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((4, 6, 3, 3), {**_KEEPS_SIZE, "strides": [2, 2]}),
        ((4, 6, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
        ((4, 6, 3, 3), {"pads": [0, 0, 0, 0]}),
        ((4, 6, 3, 3), {"pads": [1, 1, 0, 0]}),
        ((4, 6, 3, 3), {"auto_pad": "SAME_UPPER"}),
        ((4, 6, 5, 5), {"pads": [2, 2, 2, 2]}),
        ((4, 6, 1, 1), {"pads": [0, 0, 0, 0]}),
        ((4, 3, 3, 3), {**_KEEPS_SIZE, "group": 2}),
    ],
)
def test_other_convolutions_stay(shape: Sequence[int], attributes: dict[str, Any]) -> None:
    drawn = Drawn()
    doubled = drawn.resized(drawn.features(6, 8, 8))
    assert rewrites(drawn, drawn.convolved(doubled, shape, **attributes)) == 0


@pytest.mark.parametrize(
    ("scale", "attributes"),
    [
        (3, _DOUBLED),
        (1.5, _DOUBLED),
        (2, {**_DOUBLED, "mode": "linear"}),
        (2, {**_DOUBLED, "nearest_mode": "ceil"}),
        (2, {**_DOUBLED, "coordinate_transformation_mode": "align_corners"}),
    ],
)
def test_other_ways_to_enlarge_stay(scale: float, attributes: dict[str, Any]) -> None:
    drawn = Drawn()
    larger = drawn.resized(drawn.features(6, 8, 8), scale, **attributes)
    assert rewrites(drawn, drawn.convolved(larger, (4, 6, 3, 3))) == 0


def test_a_single_channel_that_does_not_fall_into_blocks_stays() -> None:
    drawn = Drawn()
    assert rewrites(drawn, drawn.convolved(drawn.features(6, 18, 16), (1, 6, 3, 3))) == 0


def test_features_put_together_one_below_the_other_stay() -> None:
    drawn = Drawn()
    doubled, other = drawn.resized(drawn.features(6, 4, 8)), drawn.features(6, 8, 16)
    together = drawn.node("Concat", doubled, other, axis=2)
    assert rewrites(drawn, drawn.convolved(together, (4, 6, 3, 3))) == 0


def test_weights_that_are_only_known_later_stay() -> None:
    drawn = Drawn()
    doubled = drawn.resized(drawn.features(6, 8, 8))
    weights = drawn.features(6, 3, 3)
    assert rewrites(drawn, drawn.node("Conv", doubled, weights, pads=[1, 1, 1, 1])) == 0


def test_lengths_that_are_left_open_stay() -> None:
    drawn = Drawn()
    doubled = drawn.resized(drawn.features(6, "height", 8))
    content = drawn.content(drawn.convolved(doubled, (4, 6, 3, 3)))
    assert rewritten(content, {"input0": (1, 6, 8, 8)}) == 0


@pytest.mark.parametrize(("architecture", "count"), [("unet", 6), ("fpn", 0)])
def test_networks_as_they_are_trained_here(tmp_path: Path, architecture: str, count: int) -> None:
    """A U-Net's five doublings, and its last convolution; an FPN has neither. Export compares them with torch."""
    recipe = Recipe(size=64, architecture=architecture, encoder="resnet18", encoder_weights="")
    export(build(recipe.architecture, recipe.encoder), recipe, tmp_path)
    model = openvino.Core().read_model(tmp_path / "model.onnx")
    model.reshape([1, 64, 64, 3])
    assert lighten(model) == count
    assert lighten(model) == 0
