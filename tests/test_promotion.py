"""The registry and the one function that moves `production`, against a real MLflow on SQLite."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import table
from wms_ml.errors import DataError, GateError, NoProductionModelError, RegistryError
from wms_resources.promotion import Promoter
from wms_resources.registry import Evidence, ModelVersion, Registry
from wms_resources.tracking import Tracking


@pytest.fixture(scope="module")
def blank_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh MLflow database; making one takes seconds, copying it does not."""
    home = tmp_path_factory.mktemp("blank")
    registry = Registry(uri=f"sqlite:///{home}/mlflow.db", model_name="m", downloads=str(home))
    assert registry.champion() is None
    return home / "mlflow.db"


class World:
    """One registry with the tools to fill it."""

    def __init__(self, home: Path, blank: Path) -> None:
        (home / "mlflow.db").write_bytes(blank.read_bytes())
        uri = f"sqlite:///{home}/mlflow.db"
        self.home = home
        self.tracking = Tracking(uri=uri, artifacts=str(home / "artifacts"), experiment="e")
        self.registry = Registry(uri=uri, model_name="m", downloads=str(home / "downloads"))
        self.promoter = Promoter(lock=str(home / "lock"))

    def version(self, content: bytes) -> ModelVersion:
        folder = self.home / "made"
        folder.mkdir(exist_ok=True)
        (folder / "model.onnx").write_bytes(content)
        with self.tracking.attempt("job seed 0", "dagster-run", {}) as run:
            run.files(folder, "model")
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        return self.registry.register(run.run_id, digest, "v1", {"dice": "0.5", "iou": "0.4"})

    def judged(
        self, version: ModelVersion, dice: float, champion: ModelVersion | None, champion_dice: float = 0.0
    ) -> None:
        theirs = table(champion_dice, champion_dice, model=champion.digest) if champion else None
        ours = table(dice, dice, model=version.digest)
        self.registry.save_evidence(
            version, Evidence(version.version, champion.version if champion else None, "v1", ours, theirs)
        )

    def promote(self, version: ModelVersion) -> None:
        self.promoter.promote(self.registry, version.version, "v1")

    def production(self) -> str:
        return self.registry.production().version


@pytest.fixture
def world(tmp_path: Path, blank_mlflow: Path) -> World:
    return World(tmp_path, blank_mlflow)


def test_the_first_model_that_finds_something_is_promoted(world: World) -> None:
    first = world.version(b"one")
    world.judged(first, 0.5, None)
    world.promote(first)
    assert world.production() == first.version


def test_a_better_model_replaces_the_champion_which_stays_reachable(world: World) -> None:
    first, second = world.version(b"one"), world.version(b"two")
    world.judged(first, 0.5, None)
    world.promote(first)
    world.judged(second, 0.6, first, 0.5)
    world.promote(second)
    assert world.production() == second.version
    assert world.registry.get("previous").version == first.version


def test_a_model_that_is_not_better_is_refused(world: World) -> None:
    first, second = world.version(b"one"), world.version(b"two")
    world.judged(first, 0.5, None)
    world.promote(first)
    world.judged(second, 0.5, first, 0.5)
    with pytest.raises(GateError, match="not better"):
        world.promote(second)
    assert world.production() == first.version


def test_without_evidence_nothing_moves(world: World) -> None:
    first = world.version(b"one")
    with pytest.raises(GateError, match="no evidence"):
        world.promote(first)
    assert world.registry.champion() is None


def test_evidence_against_a_champion_that_was_replaced_since_does_not_count(world: World) -> None:
    first, second, third = world.version(b"one"), world.version(b"two"), world.version(b"three")
    world.judged(first, 0.5, None)
    world.promote(first)
    world.judged(third, 0.6, first, 0.5)
    world.judged(second, 0.9, first, 0.5)
    world.promote(second)
    with pytest.raises(GateError, match="no evidence"):
        world.promote(third)
    assert world.production() == second.version


def test_evidence_about_another_file_is_refused(world: World) -> None:
    first = world.version(b"one")
    ours = table(0.9, 0.9, model="sha256:somebody else")
    world.registry.save_evidence(first, Evidence(first.version, None, "v1", ours, None))
    with pytest.raises(GateError, match="about something else"):
        world.promote(first)


def test_evidence_from_other_pictures_than_the_test_side_is_refused(world: World) -> None:
    first = world.version(b"one")
    ours = table(0.9, 0.9, model=first.digest, split="train")
    world.registry.save_evidence(first, Evidence(first.version, None, "v1", ours, None))
    with pytest.raises(GateError, match="about something else"):
        world.promote(first)


def test_evidence_of_an_earlier_releases_form_is_refused_and_says_what_to_do(world: World) -> None:
    first = world.version(b"one")
    world.judged(first, 0.5, None)
    (stored,) = (world.home / "artifacts").rglob("evidence/*.json")
    values = json.loads(stored.read_text())
    del values["challenger_scores"]["form"]
    stored.write_text(json.dumps(values))
    with pytest.raises(DataError, match="score the model again"):
        world.promote(first)
    assert world.registry.champion() is None


def test_promoting_the_champion_again_changes_nothing(world: World) -> None:
    first = world.version(b"one")
    world.judged(first, 0.5, None)
    world.promote(first)
    world.promote(first)
    assert world.production() == first.version
    with pytest.raises(RegistryError, match="previous"):
        world.registry.get("previous")


def test_an_unreachable_registry_is_an_error_and_never_an_empty_one(tmp_path: Path) -> None:
    blocked = tmp_path / "not-a-database"
    blocked.write_text("this is no SQLite file, but long enough to be looked at as one" * 20)
    registry = Registry(uri=f"sqlite:///{blocked}", model_name="m", downloads=str(tmp_path))
    with pytest.raises(RegistryError, match="WMS_MLFLOW_TRACKING_URI"):
        registry.champion()


def test_without_a_production_model_the_message_says_how_to_get_one(world: World) -> None:
    with pytest.raises(NoProductionModelError, match="wms drop"):
        world.registry.production()


def test_a_version_is_fetched_byte_for_byte(world: World) -> None:
    version = world.version(b"the model")
    assert world.registry.fetch(version).read_bytes() == b"the model"


def test_a_model_file_that_was_altered_is_never_used(world: World) -> None:
    version = world.version(b"the model")
    (artifact,) = (world.home / "artifacts").rglob("model.onnx")
    artifact.write_bytes(b"another model")
    with pytest.raises(RegistryError, match="not the one that was registered"):
        world.registry.fetch(version)


def test_registering_the_same_run_again_gives_the_same_version(world: World) -> None:
    version = world.version(b"one")
    again = world.registry.register(version.run_id, version.digest, "v1", {})
    assert replace(again, tags={}) == replace(version, tags={})
    assert len(world.registry.versions()) == 1


def status(world: World, run_id: str) -> str:
    return str(world.registry.client.get_run(run_id).info.status)


def test_a_run_ends_as_its_block_ends(world: World) -> None:
    with world.tracking.attempt("good", "d", {}) as good:
        good.params({f"p{index}": index for index in range(150)})
        good.epochs([{"epoch": 1, "dice": 0.5}, {"epoch": 2, "dice": 0.6}])
    with pytest.raises(ValueError, match="boom"), world.tracking.attempt("bad", "d", {}) as bad:
        raise ValueError("boom")
    with pytest.raises(KeyboardInterrupt), world.tracking.attempt("stopped", "d", {}) as stopped:
        raise KeyboardInterrupt
    assert [status(world, run.run_id) for run in (good, bad, stopped)] == ["FINISHED", "FAILED", "KILLED"]
    data = world.registry.client.get_run(good.run_id).data
    assert len(data.params) == 150
    assert data.metrics == {"dice": 0.6}
    assert data.tags["dagster_run_id"] == "d"


def test_a_run_whose_process_was_killed_is_closed_by_whoever_looks_next(world: World) -> None:
    code = (
        "import os, signal\n"
        "from wms_resources.tracking import Tracking\n"
        f"tracking = Tracking(uri={world.tracking.uri!r}, artifacts={world.tracking.artifacts!r}, experiment='e')\n"
        "with tracking.attempt('doomed', 'd', {}) as run:\n"
        "    print(run.run_id, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    run_id = done.stdout.split()[-1]
    with world.tracking.attempt("mine", "d", {}) as mine:
        assert status(world, run_id) == "RUNNING"
        assert world.tracking.end_orphans() == [run_id]
        assert status(world, run_id) == "KILLED"
        assert status(world, mine.run_id) == "RUNNING"
