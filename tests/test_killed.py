"""Killed at the worst moments, and run again: the end is as if nothing had happened."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.builders import drop_folder
from tests.rig import Platform, kill

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drop_folder(tmp_path_factory.mktemp("pictures"), 40)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path / "home")
    yield platform
    platform.stop()


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    platform = Platform(tmp_path_factory.mktemp("undisturbed") / "home")
    platform.drop(pictures, "--id", "first")
    platform.run("drop_to_deployment")
    state = platform.state()
    platform.stop()
    return state


def epochs_done(platform: Platform) -> int:
    return sum(len(path.read_text().splitlines()) for path in (platform.home / "training").glob("*/history.jsonl"))


MOMENTS: dict[str, Callable[[Platform], object]] = {
    "while the drop is landed": lambda platform: any((platform.home / "staging").glob("*")),
    "while the data is versioned": lambda platform: any((platform.home / "data-repo").glob("*")),
    "while it trains": lambda platform: epochs_done(platform) >= 1,
    "while it is judged": lambda platform: any((platform.home / "evaluations").glob("test-*")),
    "while it is deployed": lambda platform: any((platform.home / "service").glob("service.log")),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_orchestrator_leaves_nothing_that_running_again_does_not_cure(
    platform: Platform, pictures: Path, undisturbed: dict[str, object], moment: str
) -> None:
    platform.drop(pictures, "--id", "first")
    process = platform.start("run", "drop_to_deployment")
    platform.wait_for(moment, lambda: MOMENTS[moment](platform), process)
    kill(process)
    platform.run("drop_to_deployment")
    assert platform.state() == undisturbed
    assert platform.trainers() == []
    assert set(platform.mlflow_statuses()) <= {"FINISHED", "KILLED"}
    with dg.DagsterInstance.from_config(str(platform.home / "dagster")) as instance:
        statuses = {run.status.value for run in instance.get_runs()}
    assert "SUCCESS" in statuses
    assert "STARTED" not in statuses


def test_a_killed_training_process_fails_the_run_clearly_and_the_next_one_resumes(
    platform: Platform, pictures: Path, undisturbed: dict[str, object]
) -> None:
    platform.drop(pictures, "--id", "first")
    process = platform.start("run", "drop_to_deployment")
    platform.wait_for("the first epoch", lambda: epochs_done(platform) >= 1, process)
    for trainer in platform.trainers():
        os.kill(trainer, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "killed by signal 9" in said
    assert platform.mlflow_statuses() == ["FAILED", "FAILED"]  # the attempt and its training
    resumed = platform.run("drop_to_deployment")
    assert "resumed after epoch" in resumed.stderr
    assert platform.state() == undisturbed
    assert platform.mlflow_statuses() == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
