"""The gate's check as the UI shows it: the verdict first, and pictures that can never change it."""

import base64
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from tests.onnx_model import write_red_model
from tests.promotion_world import World
from wms_assets.gate_check import better_than_production
from wms_assets.values import TrainedModel, ValidatedDataset
from wms_ml.dataset import MANIFEST, load_dataset
from wms_ml.evaluation import evaluate
from wms_ml.pairs import write_manifest
from wms_ml.scoring import ScoreTable
from wms_resources.promotion import Promoter
from wms_resources.registry import ModelVersion

pytest_plugins = ["tests.promotion_world"]


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures with a red field each, which their masks mark, and their manifest."""
    folder = tmp_path_factory.mktemp("gate") / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(12):
        picture = np.random.default_rng(number).integers(60, 90, (128, 128, 3), dtype=np.uint8)
        picture[..., 0] = 0
        picture[40:80, 32:96, 0] = 255
        Image.fromarray(picture).save(folder / "images" / f"m{number}.png")
        Image.fromarray((picture[..., 0] > 0).astype(np.uint8) * 255).save(folder / "masks" / f"m{number}.png")
    write_manifest(load_dataset(folder), folder / MANIFEST)
    return folder


@dataclass(frozen=True)
class Scored:
    """A model, and its scores on the data set."""

    model: Path
    scores: ScoreTable


@pytest.fixture(scope="module")
def models(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scored]:
    """One that finds every red field, and one that finds nothing."""
    folder = tmp_path_factory.mktemp("models")
    paths = [finding(folder / "finding.onnx"), blind(folder / "blind.onnx")]
    tables = evaluate(data_set, load_dataset(data_set), paths, "")
    return {path.stem: Scored(path, replace(each, split="test")) for path, each in zip(paths, tables, strict=True)}


@pytest.fixture
def data(data_set: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_set, tmp_path / "data"))


def finding(path: Path) -> Path:
    """A model that finds every red field."""
    write_red_model(path)
    return path


def blind(path: Path) -> Path:
    """The same, but nothing is red enough for it."""
    model = onnx.load(finding(path))
    (white,) = [each for each in model.graph.initializer if each.name == "white"]
    white.CopyFrom(numpy_helper.from_array(np.array(600, dtype=np.float32), "white"))
    onnx.save(model, path)
    return path


class Scene:
    """A champion in production, and a challenger that was judged against it on real pictures."""

    def __init__(self, world: World, data: Path, champion: Scored, challenger: Scored) -> None:
        self.world = world
        before = self._promoted(champion.model)
        version = world.version(challenger.model.read_bytes())
        self.data_version = champion.scores.data_version
        scores = {"challenger_scores": challenger.scores, "champion_scores": champion.scores}
        world.judged(version, 0.5, before, 0.5, data_version=self.data_version, **scores)
        self.trained = trained(version, data, self.data_version)

    def _promoted(self, model: Path) -> ModelVersion:
        version = self.world.version(model.read_bytes())
        self.world.judged(version, 0.5, None)
        self.world.promote(version)
        return version

    def check(self, promoter: Promoter | None = None) -> dg.AssetCheckResult:
        return checked(self.world, self.trained, promoter)


def trained(version: ModelVersion, data: Path, of_version: str) -> TrainedModel:
    folder = {"folder": str(data), "pairs": 12, "data_version": of_version, "drop": "d", "branch": "data/d"}
    return TrainedModel(
        version=version.version,
        data=ValidatedDataset.model_validate({**folder, "commit": "c", "images_md5": "i", "masks_md5": "m"}),
    )


def checked(world: World, model: TrainedModel, promoter: Promoter | None = None) -> dg.AssetCheckResult:
    result = better_than_production(
        dg.build_asset_check_context(),
        trained_model=model,
        registry=world.new_registry(),
        promoter=promoter or world.promoter,
    )
    assert isinstance(result, dg.AssetCheckResult)
    return result


@pytest.fixture
def scene(world: World, data: Path, models: dict[str, Scored]) -> Scene:
    return Scene(world, data, models["blind"], models["finding"])


def test_a_better_model_passes_and_the_pictures_show_what_got_better(scene: Scene) -> None:
    result = scene.check()
    assert result.passed
    shown = {name: str(each.value) for name, each in result.metadata.items()}
    assert "| production | difference |" in shown["comparison"]
    assert "sharpness: soft (below 150)" in shown["slices"]
    for name in ("intervals", "got better most"):
        assert "data:image/jpeg;base64," in shown[name]
    assert "got worse most" not in shown
    assert result.metadata["p-value dice"].value == pytest.approx(1 / 2**12)


def test_production_is_shown_on_the_left_as_it_finds_things(scene: Scene) -> None:
    address = str(scene.check().metadata["got better most"].value)
    sheet = Image.open(io.BytesIO(base64.b64decode(address.partition("base64,")[2].rstrip(")")))).convert("RGB")
    cell = sheet.width // 4
    left, right = (np.asarray(sheet.crop((x, 30, x + cell, cell)), int) for x in (0, cell))
    blue = [int((each[..., 2] - each[..., 0]).max()) for each in (left, right)]
    assert blue[0] + 20 < blue[1], blue  # the champion is blind: no cyan; JPEG weakens what is thin


def test_a_worse_model_does_not_pass_and_the_pictures_show_what_got_worse(
    world: World, data: Path, models: dict[str, Scored]
) -> None:
    result = Scene(world, data, models["finding"], models["blind"]).check()
    assert not result.passed
    assert str(result.description).startswith("not better than the model in production: dice")
    assert "got worse most" in result.metadata


def test_warnings_of_a_check_that_passes_are_part_of_what_it_says(scene: Scene) -> None:
    assert "warning: few test pictures (12)" in str(scene.check().description)


def test_the_check_asks_what_the_settings_ask(scene: Scene) -> None:
    floors = {"brightness: bright (from 120)": 0.5}
    result = scene.check(Promoter(data_repo=scene.world.promoter.data_repo, rule={"slice_floors": floors}))
    assert not result.passed
    assert "no test picture is of the slice" in str(result.description)


def without_folder(data: Path) -> None:
    shutil.rmtree(data)


def with_other_pictures(data: Path) -> None:
    for path in (data / "images").iterdir():
        Image.new("RGB", (128, 128), "green").save(path)


def with_a_broken_manifest(data: Path) -> None:
    (data / MANIFEST).write_bytes(b"no manifest")


@pytest.mark.parametrize("trouble", [without_folder, with_other_pictures, with_a_broken_manifest])
def test_pictures_that_cannot_be_drawn_are_named_and_change_nothing(
    scene: Scene, data: Path, trouble: Callable[[Path], None]
) -> None:
    before = scene.check()
    trouble(data)
    after = scene.check()
    assert (after.passed, after.description) == (before.passed, before.description)
    assert "cannot be shown" in str(after.metadata["pictures that changed most"].value)
    assert after.metadata["comparison"] == before.metadata["comparison"]


def test_a_first_model_has_nobody_to_be_compared_with(world: World, data: Path) -> None:
    version = world.version(b"one")
    world.judged(version, 0.5, None)
    result = checked(world, trained(version, data, "v1"))
    assert result.passed
    assert "intervals" not in result.metadata


def test_the_model_in_production_itself_passes(scene: Scene, data: Path) -> None:
    result = checked(scene.world, trained(scene.world.registry.production(), data, scene.data_version))
    assert result.passed
    assert "in production already" in str(result.description)


def test_without_evidence_the_check_fails_the_step_and_not_only_the_check(world: World, data: Path) -> None:
    with pytest.raises(dg.Failure, match="no evidence"):
        checked(world, trained(world.version(b"one"), data, "v1"))
