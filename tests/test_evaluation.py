"""The evaluation program on pictures whose scores are known in advance: a red field is what the model finds."""

import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.onnx_model import write_red_model
from tests.rig import Platform
from wms_ml import evaluation
from wms_ml.dataset import load_dataset
from wms_ml.errors import DataError, PictureError
from wms_ml.files import sha256_of
from wms_ml.predictor import Prediction, Predictor
from wms_ml.scoring import ScoreTable

COUNT = 12
NAMES = [f"m{number:02}" for number in range(COUNT)]


def write_pair(folder: Path, name: str, missed: int) -> None:
    """A red field of 64 x 40 in a picture of 128 x 128; the mask marks it without its `missed` left columns."""
    picture = np.random.default_rng(missed).integers(60, 90, (128, 128, 3), dtype=np.uint8)
    picture[..., 0] = 0
    picture[40:80, 32:96, 0] = 255
    mask = np.zeros((128, 128), np.uint8)
    mask[40:80, 32 + missed : 96] = 255
    Image.fromarray(picture).save(folder / "images" / f"{name}.png")
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number, name in enumerate(NAMES):
        write_pair(folder, name, 4 * number)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_red_model(tmp_path / "red.onnx")
    return tmp_path / "red.onnx"


@pytest.fixture
def predictions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[bytes]]:
    """How often the real predictor was given each picture."""
    counted: Counter[bytes] = Counter()
    predict = Predictor.predict_image

    def count(self: Predictor, image: Image.Image) -> Prediction:
        counted[image.tobytes()] += 1
        return predict(self, image)

    monkeypatch.setattr(Predictor, "predict_image", count)
    return counted


def test_pictures_are_scored_at_their_own_size(data: Path, model: Path) -> None:
    (table,) = evaluation.evaluate(data, load_dataset(data), [model], "")
    rows = {row.name: row for row in table.rows}
    assert rows["m00"].dice > 0.97
    assert [rows[name].dice for name in NAMES] == sorted((row.dice for row in table.rows), reverse=True)
    assert rows["m05"].hausdorff95 == pytest.approx(20, abs=1.5)
    assert rows["m05"].dice == pytest.approx(2 * 44 / (44 + 64), abs=0.02)


def test_every_picture_is_predicted_once_though_sheets_show_it_again(
    data: Path, model: Path, tmp_path: Path, predictions: Counter[bytes]
) -> None:
    evaluation.run(data, load_dataset(data), "", [model], tmp_path / "out")
    assert list(predictions.values()) == [1] * COUNT
    assert {path.stem for path in (tmp_path / "out").glob("*.jpg")} == {"best", "median", "worst"}


def test_the_program_writes_tables_for_programs_spreadsheets_and_people(
    data: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["--data", str(data), "--split", "", "--model", str(model), "--model", str(model), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "wms_ml.evaluation", *command], capture_output=True, text=True, check=True
    )
    assert "on 12 pictures" in done.stderr
    assert {path.name for path in out.iterdir()} == {
        *("best.jpg", "median.jpg", "worst.jpg", "report.md"),
        *(f"scores-{index}.{kind}" for index in (0, 1) for kind in ("json", "csv")),
    }
    table = ScoreTable.parse((out / "scores-1.json").read_text())
    with (out / "scores-1.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["hausdorff95"]) for line in lines] == [row.hausdorff95 for row in table.rows]
    report = (out / "report.md").read_text()
    assert f"| Dice | {table.mean('dice'):.4f} | 0." in report
    assert "| brightness | medium (60 to 120) | " in report


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"other", "not the content its manifest names")],
)
def test_a_file_that_is_not_the_manifests_is_named(data: Path, model: Path, content: bytes | None, said: str) -> None:
    pairs = load_dataset(data)
    victim = data / "masks" / "m03.png"
    victim.unlink() if content is None else victim.write_bytes(content)
    with pytest.raises(DataError, match=rf"masks/m03.png.*{said}"):
        evaluation.evaluate(data, pairs, [model], "")


def test_a_picture_that_does_not_decode_is_named_with_its_folder(data: Path) -> None:
    pair = load_dataset(data)[3]
    victim = data / pair.mask
    victim.write_bytes(victim.read_bytes()[:60])
    with pytest.raises(PictureError, match=r"masks/m03.png: .*truncated"):
        evaluation.open_pair(data, replace(pair, mask_sha256=sha256_of(victim)))


def test_a_side_without_pictures_is_an_error(data: Path, model: Path) -> None:
    with pytest.raises(DataError, match="no other pictures in"):
        evaluation.evaluate(data, load_dataset(data), [model], "other")


def test_the_command_shows_tables_and_writes_all_figures(data: Path, model: Path, tmp_path: Path) -> None:
    figures, platform = tmp_path / "figures.json", Platform(tmp_path / "home")
    done = platform.wms("evaluate", str(data), "--model", str(model), "--json", str(figures))
    stated: dict[str, Any] = json.loads(figures.read_text())
    low, high = stated["metrics"]["dice"]["interval"]
    assert f"Dice {stated['dice']:.4f} {low:.4f}–{high:.4f}" in " ".join(done.stdout.split())
    upright = next(line for line in done.stdout.splitlines() if "upright (1)" in line)
    assert upright.split()[2:4] == [str(COUNT), f"{stated['dice']:.4f}"]
    assert sum(each["pictures"] for each in stated["slices"] if each["by"] == "sharpness") == COUNT
    assert len(stated["pictures"]) == COUNT
    assert not platform.home.exists()
