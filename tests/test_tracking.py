"""MLflow runs on SQLite: a training, its attempts below it, and how they end."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.mlflow_server import blank
from wms_ml.errors import RegistryError
from wms_resources.mlflow_calls import open_client
from wms_resources.tracking import Tracking


@pytest.fixture(scope="module")
def blank_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return blank(tmp_path_factory.mktemp("blank"))


@pytest.fixture
def tracking(tmp_path: Path, blank_database: bytes) -> Tracking:
    (tmp_path / "mlflow.db").write_bytes(blank_database)
    return Tracking(uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "artifacts"), experiment="e")


def read(tracking: Tracking, run_id: str) -> Any:
    return open_client(tracking.uri).get_run(run_id)


def test_attempts_are_nested_below_their_training_in_its_experiment(tracking: Tracking) -> None:
    with (
        tracking.training("job", "dagster-run", {"data_version": "v1"}, experiment="other") as training,
        tracking.attempt("job seed 0", "dagster-run", {}, training) as attempt,
    ):
        pass
    parent, child = read(tracking, training.run_id), read(tracking, attempt.run_id)
    assert child.data.tags["mlflow.parentRunId"] == training.run_id
    assert parent.data.tags["data_version"] == "v1"
    assert child.data.tags["dagster_run_id"] == parent.data.tags["dagster_run_id"] == "dagster-run"
    assert child.info.experiment_id == parent.info.experiment_id
    assert open_client(tracking.uri).get_experiment_by_name("other").experiment_id == parent.info.experiment_id
    assert [child.info.status, parent.info.status] == ["FINISHED", "FINISHED"]


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_what_ends_an_attempt_ends_its_training_the_same_way(
    tracking: Tracking, error: type[BaseException], status: str
) -> None:
    with (
        pytest.raises(error),
        tracking.training("job", "d", {}) as training,
        tracking.attempt("job seed 0", "d", {}, training) as attempt,
    ):
        raise error
    assert [read(tracking, run.run_id).info.status for run in (training, attempt)] == [status, status]


def test_parameters_and_epochs_beyond_what_one_request_takes_are_all_there(tracking: Tracking) -> None:
    with tracking.attempt("long", "d", {}) as run:
        run.params({f"p{index}": index for index in range(150)})
        run.epochs([{"epoch": epoch, **{f"m{index}": epoch for index in range(30)}} for epoch in range(1, 51)])
    client = open_client(tracking.uri)
    assert len(client.get_run(run.run_id).data.params) == 150
    for index in range(30):
        assert [each.step for each in client.get_metric_history(run.run_id, f"m{index}")] == list(range(1, 51))


def test_a_training_and_its_attempt_whose_process_was_killed_are_closed_by_whoever_looks_next(
    tracking: Tracking,
) -> None:
    code = (
        "import os, signal\n"
        "from wms_resources.tracking import Tracking\n"
        f"tracking = Tracking(uri={tracking.uri!r}, artifacts={tracking.artifacts!r}, experiment='e')\n"
        "with tracking.training('doomed', 'd', {}) as training, tracking.attempt('doomed', 'd', {}, training) as run:\n"
        "    print(training.run_id, run.run_id, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    doomed = done.stdout.split()
    with tracking.training("mine", "d", {}) as mine:
        assert [read(tracking, run_id).info.status for run_id in doomed] == ["RUNNING", "RUNNING"]
        assert sorted(tracking.end_orphans()) == sorted(doomed)
        assert [read(tracking, run_id).info.status for run_id in doomed] == ["KILLED", "KILLED"]
        assert read(tracking, mine.run_id).info.status == "RUNNING"


def test_a_run_is_shown_by_the_command_that_opens_its_database(tracking: Tracking) -> None:
    with tracking.training("job", "d", {}) as run:
        assert run.where == f"mlflow ui --backend-store-uri {tracking.uri}"


def impatient_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow lets SQLite wait 20 s for a lock before it gives up: the same, sooner."""
    from mlflow.store.db import utils

    shorter = utils.sql.text("PRAGMA busy_timeout = 50;")
    whole = utils.sql.text
    monkeypatch.setattr(utils.sql, "text", lambda words: shorter if "busy_timeout" in words else whole(words))


def test_a_database_that_another_process_locks_is_waited_for(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient_sqlite(monkeypatch)
    patient = tracking.model_copy(update={"patience_seconds": 600})
    with patient.attempt("a", "d", {}) as run:
        other = sqlite3.connect(tracking.uri.removeprefix("sqlite:///"), check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(2, other.rollback)
        release.start()
        run.epochs([{"epoch": 1, "dice": 0.1}])
        run.epochs([{"epoch": 2, "dice": 0.2}])
        run.tags({"written": "yes"})
        release.join()
    other.close()
    assert read(tracking, run.run_id).data.tags["written"] == "yes"
    history = open_client(tracking.uri).get_metric_history(run.run_id, "dice")
    assert [(each.step, each.value) for each in history] == [(1, 0.1), (2, 0.2)]


def test_a_broken_database_is_not_waited_for(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("this is no SQLite file, but long enough to be looked at as one" * 20)
    tracking = Tracking(uri=f"sqlite:///{broken}", artifacts=str(tmp_path), experiment="e", patience_seconds=3600)
    with pytest.raises(RegistryError, match="WMS_MLFLOW_TRACKING_URI"), tracking.training("job", "d", {}):
        pass
