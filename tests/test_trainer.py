"""What names an attempt: the code that decides it; and what a run plans: recipe, preset, the weights it starts from."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import wms_ml
from tests.mlflow_server import blank
from wms_assets.model import TrainingConfig
from wms_assets.training_plan import TrainingPlan, plan_training, recipe_for
from wms_assets.values import ValidatedDataset
from wms_ml.errors import RegistryError, SettingsError
from wms_ml.files import digest_of
from wms_ml.recipe import PRESETS, Recipe
from wms_resources import code_version as code
from wms_resources.compute import LocalCompute
from wms_resources.registry import WEIGHTS_TAG, ModelVersion, Registry
from wms_resources.tracking import Tracking
from wms_resources.trainer import Trainer


@pytest.fixture(scope="module")
def blank_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return blank(tmp_path_factory.mktemp("blank"))


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library that tests may change."""
    copy = tmp_path / "wms_ml"
    shutil.copytree(wms_ml.__path__[0], copy)
    monkeypatch.setattr(wms_ml, "__path__", [str(copy)])
    return copy


def test_what_the_training_program_is_made_of_decides(own_code: Path) -> None:
    before = code.code_version()
    for name in ("attempt", "augment", "network", "losses", "recipe", "export", "arrays"):
        changed = own_code / f"{name}.py"
        content = changed.read_text()
        changed.write_text(content + "# another\n")
        assert code.code_version() != before, name
        changed.write_text(content)
    assert code.code_version() == before


def test_a_module_that_is_split_off_decides_from_then_on(own_code: Path) -> None:
    (own_code / "attempt.py").write_text((own_code / "attempt.py").read_text() + "from wms_ml.split_off import x\n")
    (own_code / "split_off.py").write_text("x = 1\n")
    before = code.code_version()
    (own_code / "split_off.py").write_text("x = 2\n")
    assert code.code_version() != before


def test_code_that_scores_or_checks_data_does_not_decide(own_code: Path) -> None:
    before = code.code_version()
    for name in ("evaluation", "scoring", "gate", "catalogue", "quality/rules", "errors"):
        changed = own_code / f"{name}.py"
        changed.write_text(changed.read_text() + "# another\n")
    assert code.code_version() == before


def test_every_module_that_is_said_not_to_decide_is_one_the_program_imports() -> None:
    assert code.INDECISIVE.keys() <= code.reached_modules()


def trainer(folder: Path, init: str = "scratch", **recipe: Any) -> Trainer:
    tracking = Tracking(uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"), experiment="e")
    return Trainer(
        compute=LocalCompute(),
        tracking=tracking,
        recipe=recipe,
        attempts=3,
        init=init,
        folder=str(folder / "training"),
        cache=str(folder / "cache"),
    )


def test_what_a_run_names_wins_over_its_preset_which_wins_over_the_settings(tmp_path: Path) -> None:
    settings = trainer(tmp_path, encoder="mobilenet_v2", batch_size=3, epochs=9)
    found = recipe_for(settings, TrainingConfig(preset="source", epochs=2, minutes=1.5).model_dump())
    preset = {**PRESETS["source"], "epochs": 2}
    assert {name: getattr(found, name) for name in preset} == preset
    assert (found.batch_size, found.minutes) == (3, 1.5)


def test_an_unknown_preset_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'sauce'.*source"):
        recipe_for(trainer(tmp_path), TrainingConfig(preset="sauce").model_dump())


DATA = ValidatedDataset(
    drop="d", data_version="v1", branch="b", commit="c", images_md5="i", masks_md5="m", folder="f", pairs=1
)


def champion(registry: Registry, tracking: Tracking, folder: Path, **tags: str) -> ModelVersion:
    """A registered version with weights, as an attempt leaves it."""
    files = folder / "made"
    files.mkdir()
    (files / "weights.pt").write_bytes(b"weights")
    with tracking.attempt("job seed 0", "d", {}) as run:
        run.files(files, "training")
    recipe = Recipe()
    network = {name: str(getattr(recipe, name)) for name in ("architecture", "encoder", "size")}
    weights = {WEIGHTS_TAG: digest_of(files / "weights.pt")}
    return registry.register(run.run_id, "sha256:0", "v1", {**network, **weights, **tags})


class Place:
    """A registry, a trainer, and what a plan says."""

    def __init__(self, folder: Path, database: bytes) -> None:
        (folder / "mlflow.db").write_bytes(database)
        self.folder = folder
        self.trainer = trainer(folder)
        self.registry = Registry(uri=self.trainer.tracking.uri, model_name="m", downloads=str(folder / "models"))

    def champion(self, **tags: str) -> ModelVersion:
        return champion(self.registry, self.trainer.tracking, self.folder, **tags)

    def plan(self, champion: ModelVersion | None, **config: Any) -> TrainingPlan:
        overrides = TrainingConfig(**config).model_dump()
        context: Any = dg.build_asset_context()
        return plan_training(context, self.trainer, self.registry, champion, DATA, overrides)


@pytest.fixture
def place(tmp_path: Path, blank_database: bytes) -> Place:
    return Place(tmp_path, blank_database)


def test_a_training_starts_from_the_champions_weights_which_are_fetched_once(place: Place) -> None:
    version = place.champion()
    start = place.plan(version, init="champion").material.start
    assert start is not None
    assert start.weights.read_bytes() == b"weights"
    assert start.digest == digest_of(start.weights)
    shutil.rmtree(place.folder / "artifacts")
    assert place.plan(version, init="champion").material.start == start


def test_weights_that_are_not_those_that_were_registered_are_refused(place: Place) -> None:
    version = place.champion()
    (stored,) = (place.folder / "artifacts").rglob("weights.pt")
    stored.write_bytes(b"others")
    with pytest.raises(RegistryError, match="not the one that was registered"):
        place.plan(version, init="champion")


@pytest.mark.parametrize("other", [{"encoder": "resnet50"}, {"architecture": "fpn"}])
def test_from_a_champion_of_another_kind_it_starts_from_scratch_and_says_so(
    place: Place, other: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    version = place.champion(**other)
    assert place.plan(version, init="champion").material.start is None
    (kind,) = other.values()
    assert f"{kind}): training starts from scratch" in capfd.readouterr().err


def test_a_champion_of_another_size_is_a_start(place: Place) -> None:
    start = place.plan(place.champion(size="512"), init="champion").material.start
    assert start and start.version == "1"


def test_without_a_champion_it_starts_from_scratch_and_says_so(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.plan(None, init="champion").material.start is None
    assert "no model is in production yet: training starts from scratch" in capfd.readouterr().err


def test_where_nobody_asks_for_the_champion_its_weights_are_left_alone(place: Place) -> None:
    assert place.plan(place.champion()).material.start is None
    assert not (place.folder / "models").exists()
