"""The runtime of models: told its arithmetic, safe to ask from many threads, and clear about what it cannot read."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.bad_models import fails_on_blue
from tests.onnx_model import SIZE, write_red_model
from tests.serving_process import ROOT
from wms_ml.errors import DataError
from wms_ml.predictor import METADATA_KEY, Predictor
from wms_ml.runtime import ModelFile, Precision, has_bfloat16

_CHANNELS = 16


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two convolutions with random weights: unlike one that only divides, it has sums to round."""
    path = tmp_path_factory.mktemp("layered") / "model.onnx"
    write_red_model(path)
    model = onnx.load(path)
    random = np.random.default_rng(0)
    weights = {
        "first": random.normal(size=(_CHANNELS, 3, 3, 3)).astype(np.float32) / 100,
        "second": random.normal(size=(1, _CHANNELS, 3, 3)).astype(np.float32) / 4,
    }
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "first"], ["edges"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["edges"], ["features"]),
        helper.make_node("Conv", ["features", "second"], ["sums"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["sums"], ["shares"]),
        helper.make_node("Squeeze", ["shares", "axis"], ["probabilities"]),
    ]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    constants = {**weights, "axis": np.array([1])}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.save(model, path)
    return path


def pictures(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def convolved(model: Path, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the model says, worked out in float64 by hand."""
    weights = {each.name: numpy_helper.to_array(each) for each in onnx.load(model).graph.initializer}

    def conv(planes: NDArray[np.float64], kernel: NDArray[np.float32]) -> NDArray[np.float64]:
        padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
        seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        return np.einsum("cyxij,ocij->oyx", seen, kernel.astype(np.float64), optimize=True)

    features = np.maximum(conv(picture.transpose(2, 0, 1).astype(np.float64), weights["first"]), 0)
    return 1 / (1 + np.exp(-conv(features, weights["second"])[0]))


def off_by(precision: Precision, model: Path) -> float:
    picture = pictures(1)[0]
    return float(np.abs(ModelFile(model).compiled(precision).run(picture) - convolved(model, picture)).max())


def test_what_nobody_asked_otherwise_is_computed_in_float32_on_every_processor(layered: Path) -> None:
    predictor = Predictor(layered)
    assert predictor.precision == "float32"
    assert np.abs(predictor.probabilities(pictures(1))[0] - convolved(layered, pictures(1)[0])).max() < 1e-5


@pytest.mark.skipif(not has_bfloat16(), reason="this processor only emulates bfloat16")
def test_bfloat16_is_another_arithmetic_and_says_so(layered: Path) -> None:
    assert ModelFile(layered).compiled("bfloat16").precision == "bfloat16"
    assert off_by("float32", layered) < 1e-5 < 1e-3 < off_by("bfloat16", layered) < 0.1


@pytest.mark.parametrize("at_once", [1, 3])
def test_answers_do_not_depend_on_who_asks_at_the_same_time(layered: Path, at_once: int) -> None:
    network = ModelFile(layered).compiled("float32", threads=1, at_once=at_once)
    shown = pictures(7)
    alone = [network.run(picture) for picture in shown]
    with ThreadPoolExecutor(5) as pool:
        together = list(pool.map(network.run, islice(cycle(shown), 700)))
    assert all(np.array_equal(found, expected) for found, expected in zip(together, cycle(alone), strict=False))


def test_an_answer_stays_what_it_was_when_the_next_picture_is_asked_of(layered: Path) -> None:
    network = ModelFile(layered).compiled()
    first = network.run(pictures(2)[0])
    kept = first.copy()
    network.run(pictures(2)[1])
    assert np.array_equal(first, kept)


def test_pictures_of_a_batch_are_answered_as_they_are_one_by_one(layered: Path) -> None:
    predictor = Predictor(layered)
    alone = [predictor.probabilities(picture[None])[0] for picture in pictures(3)]
    assert np.array_equal(predictor.probabilities(pictures(3)), alone)


def test_threads_that_all_ask_their_first_at_the_same_time_are_answered(tmp_path: Path) -> None:
    """In a process of its own, for it is about the very first inference in one; a few, for it is about chance."""
    write_red_model(tmp_path / "red.onnx")
    code = f"""
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
import numpy as np
from wms_ml.predictor import Predictor
begin = Barrier(4)
predictor = Predictor(Path({str(tmp_path / "red.onnx")!r}), threads=1, at_once=4)
def ask(_):
    begin.wait()
    return predictor.probabilities(np.full((1, {SIZE}, {SIZE}, 3), 255, np.uint8)).min()
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(ask, range(4))) == [1] * 4
"""
    for _ in range(6):
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def emptied(_: bytes) -> bytes:
    return b""


def unknown_operator(content: bytes) -> bytes:
    model = onnx.load_from_string(content)
    model.graph.node[-1].op_type = "Guess"
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("damage", [cut, emptied, unknown_operator])
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "red.onnx"
    write_red_model(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"red\.onnx (is not a readable ONNX model|cannot be run)"):
        Predictor(path)


def test_an_answer_of_another_shape_is_no_mask(tmp_path: Path) -> None:
    path = tmp_path / "blue.onnx"
    fails_on_blue(path)
    predictor = Predictor(path)
    assert predictor.predict_image(Image.new("RGB", (60, 40))).mask.shape == (40, 60)
    with pytest.raises(DataError, match=rf"answers a picture of {SIZE} pixels a side with \({SIZE}, 0\) values"):
        predictor.predict_image(Image.new("RGB", (60, 40), "blue"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no model file at .*red\.onnx"):
        Predictor(tmp_path / "red.onnx")


@pytest.mark.parametrize(
    ("stated", "said"),
    [({}, f"no '{METADATA_KEY}' metadata"), ({METADATA_KEY: '{"preprocessing": "0"}'}, "trained with preprocessing 0")],
)
def test_a_model_of_somebody_else_is_refused(tmp_path: Path, stated: dict[str, str], said: str) -> None:
    path = tmp_path / "red.onnx"
    write_red_model(path)
    model = onnx.load(path)
    del model.metadata_props[:]
    helper.set_model_props(model, stated)
    onnx.save(model, path)
    with pytest.raises(DataError, match=rf"red\.onnx.*{said}"):
        Predictor(path)
