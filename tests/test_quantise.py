"""Served as int8: the exported file is the integer model, and it says how far it is from the one in float32."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.builders import drop_folder
from tests.trainings import run
from wms_ml import quantise as quantise_module
from wms_ml.cache import Decoded, DecodedCache
from wms_ml.dataset import MANIFEST, load_dataset
from wms_ml.errors import TrainingError
from wms_ml.pairs import write_manifest
from wms_ml.predictor import Predictor
from wms_ml.quantise import quantise

SIZE = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = drop_folder(tmp_path_factory.mktemp("data"), 30, size=(64, 64))
    write_manifest(load_dataset(folder), folder / MANIFEST)
    return folder


def trained(data: Path, out: Path, served_as: str) -> Path:
    recipe = ["--size", str(SIZE), "--start-scale", "1", "--epochs", "3", "--learning-rate", "0.003"]
    recipe += ["--encoder", "resnet18", "--served-as", served_as]
    run("--data", str(data), "--out", str(out), "--cache", str(data.parent / "cache"), *recipe)
    return out


@pytest.fixture(scope="module")
def plain(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(data, tmp_path_factory.mktemp("plain"), "float32")


@pytest.fixture(scope="module")
def integers(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(data, tmp_path_factory.mktemp("integers"), "int8")


@pytest.fixture(scope="module")
def sides(data: Path, plain: Path) -> tuple[Decoded, Decoded]:
    """Pairs trained on and validated on, decoded; there are some once a training is over."""
    pairs = load_dataset(data)
    cache = DecodedCache(data.parent / "cache", data, SIZE)
    train, validation = (cache.side([pair for pair in pairs if pair.split == side]) for side in ("train", "validation"))
    return train, validation


def operators(model: Path) -> set[str]:
    return {node.op_type for node in onnx.load(model).graph.node}


def test_the_exported_file_is_the_integer_model_and_much_smaller(plain: Path, integers: Path) -> None:
    assert "QuantizeLinear" in operators(integers / "model.onnx")
    assert "QuantizeLinear" not in operators(plain / "model.onnx")
    assert (integers / "model.onnx").stat().st_size < (plain / "model.onnx").stat().st_size / 3
    assert Predictor(integers / "model.onnx").metadata["served_as"] == "int8"


def test_it_says_nearly_what_the_float_model_says(plain: Path, integers: Path, sides: tuple[Decoded, Decoded]) -> None:
    pictures = np.ascontiguousarray(sides[1].gather(range(len(sides[1])))[0])
    one, other = (Predictor(folder / "model.onnx").probabilities(pictures) for folder in (plain, integers))
    assert 0 < np.abs(one - other).mean() < 0.03


def test_the_result_states_both_differences(plain: Path, integers: Path) -> None:
    results = [json.loads((folder / "result.json").read_text()) for folder in (plain, integers)]
    assert all(result["onnx_difference"] < 1e-3 for result in results)
    assert 0.9 <= results[1]["int8_agreement"] < 1
    assert "int8_agreement" not in results[0]


def test_the_same_model_and_pictures_give_the_same_file(
    plain: Path, integers: Path, sides: tuple[Decoded, Decoded], tmp_path: Path
) -> None:
    again = shutil.copy(plain / "model.onnx", tmp_path)
    quantise(Path(again), *sides)
    assert operators(Path(again)) == operators(integers / "model.onnx")
    once = Path(again).read_bytes()
    shutil.copy(plain / "model.onnx", tmp_path)
    quantise(Path(again), *sides)
    assert Path(again).read_bytes() == once


def test_a_model_that_integers_make_another_of_is_refused_and_left_as_it_was(
    plain: Path, sides: tuple[Decoded, Decoded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copy(plain / "model.onnx", tmp_path))
    monkeypatch.setattr(quantise_module, "LEAST_AGREEMENT", 1.0)
    with pytest.raises(TrainingError, match=r"Dice 0\.9.*WMS_TRAIN_SERVED_AS=float32"):
        quantise(model, *sides)
    assert model.read_bytes() == (plain / "model.onnx").read_bytes()


def test_ranges_are_taken_from_training_pictures_alone(plain: Path, sides: tuple[Decoded, Decoded]) -> None:
    """As many as there are at most, and evenly over all of them."""
    train, _ = sides
    reader = quantise_module._Pictures(train)
    seen = []
    while (batch := reader.get_next()) is not None:
        seen.append(batch["pictures"])
    assert np.array_equal(np.concatenate(seen), train.gather(range(len(train)))[0])
