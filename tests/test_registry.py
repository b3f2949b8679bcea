"""The registry against a real MLflow on SQLite: versions, their files, and the runs that made them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.promotion_world import World
from wms_ml.errors import NoProductionModelError, RegistryError
from wms_resources.registry import Registry

pytest_plugins = ["tests.promotion_world"]


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
    assert again == version
    assert len(world.registry.versions()) == 1


def test_a_version_of_an_earlier_release_gets_the_tags_that_it_lacked_and_keeps_its_own(world: World) -> None:
    version = world.version(b"one")
    again = world.registry.register(version.run_id, version.digest, "v1", {"seed": "7", "found_later": "yes"})
    assert again == replace(version, tags={**version.tags, "found_later": "yes"})
    assert world.registry.get(version.version) == again


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
