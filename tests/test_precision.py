"""In which arithmetic a service computes: bfloat16 only where the processor has it and the model's masks stay."""

import json
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from serving import precision
from serving.precision import known_pictures, predictor_of
from serving.release import Release
from serving.settings import ServingSettings
from tests.onnx_model import write_red_model
from wms_ml.arrays import PREPROCESSING
from wms_ml.errors import PictureError
from wms_ml.predictor import METADATA_KEY
from wms_ml.runtime import has_bfloat16
from wms_ml.samples import render
from wms_resources.deployment import proof

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="this processor only emulates bfloat16")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    write_red_model(tmp_path / "model.onnx")
    return Release(tmp_path / "model.onnx", "reading-window", "7", "d0d0cafe", "sha256:0", "0123456789ab", {})


def make_touchy(path: Path) -> None:
    """Have the model add 2048 to the red that it sees and take it off again: bfloat16 has three digits."""
    model = onnx.load(path)
    values = {"red": [[1, 0, 0]], "much": [2048], "share": [[1 / 255]], "back": [-2048 / 255]}
    constants = {name: np.array(value, np.float32) for name, value in values.items()}
    constants["red"], constants["share"] = constants["red"].reshape(1, 3, 1, 1), constants["share"].reshape(1, 1, 1, 1)
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "red", "much"], ["more"]),
        helper.make_node("Relu", ["more"], ["features"]),
        helper.make_node("Conv", ["features", "share", "back"], ["shares"]),
        helper.make_node("Squeeze", ["shares", "axis"], ["probabilities"]),
    ]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    constants["axis"] = np.array([1])
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.save(model, path)


@needs_bfloat16
def test_a_model_whose_masks_stay_is_served_in_bfloat16(release: Release) -> None:
    assert predictor_of(release, ServingSettings()).precision == "bfloat16"


@needs_bfloat16
def test_a_model_whose_masks_change_is_served_in_float32_and_that_is_said(
    release: Release, caplog: pytest.LogCaptureFixture
) -> None:
    make_touchy(release.model)
    with caplog.at_level(logging.WARNING):
        assert predictor_of(release, ServingSettings()).precision == "float32"
    assert "computing in float32: bfloat16 would change" in caplog.text


@needs_bfloat16
def test_a_model_in_integers_is_left_as_it_is(release: Release) -> None:
    model = onnx.load(release.model)
    stated = {"preprocessing": PREPROCESSING, "served_as": "int8"}
    helper.set_model_props(model, {METADATA_KEY: json.dumps(stated)})
    onnx.save(model, release.model)
    assert predictor_of(release, ServingSettings()).precision == "float32"


def test_a_processor_that_would_emulate_it_computes_in_float32(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    assert predictor_of(release, ServingSettings()).precision == "float32"


def test_whoever_asks_for_float32_gets_it(release: Release) -> None:
    assert predictor_of(release, ServingSettings(precision="float32")).precision == "float32"


def test_the_picture_of_a_deployments_release_is_one_of_the_known(release: Release) -> None:
    assert precision.PICTURE == proof.PICTURE
    without = known_pictures(release)
    own = render(8, 0)
    (release.model.parent / proof.PICTURE).write_bytes(own.image_jpeg)
    pictures = known_pictures(release)
    assert len(pictures) == len(without) + 1
    assert pictures[-1].size == (600, 800)


def test_a_picture_of_the_release_that_does_not_decode_is_named(release: Release) -> None:
    (release.model.parent / proof.PICTURE).write_bytes(render(8, 0).image_jpeg[:2000])
    with pytest.raises(PictureError, match=r"smoke\.jpg: .*truncated"):
        known_pictures(release)
