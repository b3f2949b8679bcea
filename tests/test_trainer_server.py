"""The real training against a real MLflow server that goes away in the middle of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import drop_folder
from tests.mlflow_server import MlflowServer
from tests.rig import Platform
from wms_ml.files import digest_of

pytestmark = pytest.mark.slow


@pytest.fixture
def platform(server: MlflowServer, tmp_path: Path) -> Iterator[Platform]:
    names = {"WMS_EXPERIMENT": tmp_path.name, "WMS_MODEL_NAME": tmp_path.name}
    platform = Platform(tmp_path / "home", WMS_MLFLOW_TRACKING_URI=server.address, **names)
    platform.drop(drop_folder(tmp_path / "pictures", 40))
    yield platform
    platform.stop()


def epochs_done(platform: Platform) -> int:
    return sum(len(path.read_text().splitlines()) for path in (platform.home / "training").glob("*/history.jsonl"))


def runs(server: MlflowServer, platform: Platform) -> list[tuple[Any, Any]]:
    """The trainings of a set-up, the oldest first, each with its first attempt."""
    client = server.client
    experiment = client.get_experiment_by_name(platform.environment["WMS_EXPERIMENT"]).experiment_id
    found = client.search_runs([experiment], order_by=["attributes.start_time ASC"])
    parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return [
        (each, next(run for run in found if run.data.tags.get("mlflow.parentRunId") == each.info.run_id))
        for each in parents
    ]


def steps(server: MlflowServer, run: Any) -> dict[str, list[int]]:
    names = ("loss", "dice", "iou", "seconds")
    return {name: [each.step for each in server.client.get_metric_history(run.info.run_id, name)] for name in names}


def artifacts(server: MlflowServer, run: Any, folder: str) -> set[str]:
    return {Path(each.path).name for each in server.client.list_artifacts(run.info.run_id, folder)}


def test_a_server_that_is_away_for_a_while_costs_nothing_and_the_next_training_starts_from_the_champion(
    server: MlflowServer, platform: Platform
) -> None:
    process = platform.start("run", "drop_to_deployment")
    platform.wait_for("the first epoch", lambda: epochs_done(platform) >= 1, process)
    server.stop()
    platform.wait_for("two more epochs", lambda: epochs_done(platform) >= 3, process)
    server.start()
    _, said = process.communicate()
    assert process.returncode == 0, said
    ((parent, child),) = runs(server, platform)
    assert f"{server.address}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}" in said
    assert [parent.info.status, child.info.status] == ["FINISHED", "FINISHED"]
    assert set(map(tuple, steps(server, child).values())) == {(1, 2, 3, 4, 5)}
    for run in (parent, child):
        assert {"data_version", "data_commit", "code_version", "dagster_run_id"} <= set(run.data.tags)
        assert {"encoder", "epochs", "learning_rate", "seed"} <= set(run.data.params)
    assert parent.data.tags["wms.chosen_run"] == child.info.run_id
    assert {"validation_dice", "test_dice"} <= set(parent.data.metrics)
    assert {"weights.pt", "curves.png", "history.jsonl", "requirements.txt"} <= artifacts(server, child, "training")
    assert {"best.jpg", "median.jpg", "worst.jpg", "scores-0.csv"} <= artifacts(server, child, "validation")
    assert {"MLmodel", "model.onnx"} <= artifacts(server, child, "model")

    (weights,) = (platform.home / "training").glob("*/weights.pt")
    process = platform.start("run", "train_and_gate", WMS_TRAIN_INIT="champion", WMS_TRAIN_EPOCHS="1")
    _, said = process.communicate()
    assert "training starts from the weights of version 1" in said
    results = [json.loads(path.read_text()) for path in (platform.home / "training").glob("*/result.json")]
    assert {result["init"] for result in results} == {"scratch", digest_of(weights)}


def test_a_server_that_is_away_for_good_fails_the_run_and_nothing_is_trained_again(
    server: MlflowServer, platform: Platform
) -> None:
    platform.environment["WMS_TRAIN_SEED"] = "1"  # not an attempt that another test finished on this server
    process = platform.start("run", "drop_to_deployment", WMS_MLFLOW_PATIENCE_SECONDS="2")
    platform.wait_for("the first epoch", lambda: epochs_done(platform) >= 1, process)
    server.stop()
    _, said = process.communicate()
    assert process.returncode == 1
    assert f"MLflow at {server.address} was away for 2 s" in said
    assert "WMS_MLFLOW_PATIENCE_SECONDS" in said
    (model,) = (platform.home / "training").glob("*/model.onnx")
    trained = model.stat().st_mtime_ns
    server.start()
    again = platform.run("train_and_gate")
    assert "already trained" in again.stderr, f"{said}\n{again.stderr}"
    assert model.stat().st_mtime_ns == trained
    lost, found = runs(server, platform)
    assert [run.info.status for run in (*lost, *found)] == ["KILLED", "KILLED", "FINISHED", "FINISHED"]
    assert set(map(tuple, steps(server, found[1]).values())) == {(1, 2, 3, 4, 5)}
