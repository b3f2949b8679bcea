"""MLflow on a server that goes away: for a while it costs nothing, for good it is said clearly."""

import contextlib
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.mlflow_server import MlflowServer
from wms_ml.errors import RegistryError
from wms_resources.mlflow_calls import Pause
from wms_resources.tracked_run import TrackedRun
from wms_resources.tracking import Tracking


@pytest.fixture(autouse=True)
def short_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


def tracking(server: MlflowServer, patience_seconds: float = 120) -> Tracking:
    return Tracking(uri=server.address, artifacts="", experiment="e", patience_seconds=patience_seconds)


def row(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "loss": 1 / epoch, "dice": epoch / 100}


def stored(server: MlflowServer, run: TrackedRun, metric: str) -> list[tuple[int, float]]:
    return [(each.step, each.value) for each in server.client.get_metric_history(run.run_id, metric)]


def train(run: TrackedRun, epochs: range) -> None:
    """Epochs as a training brings them: it never waits for MLflow."""
    for epoch in epochs:
        run.epochs([row(epoch)])


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_epochs_are_on_the_server_as_they_come(server: MlflowServer) -> None:
    with tracking(server).attempt("a", "d", {}) as run:
        for epoch in range(1, 4):
            run.epochs([row(epoch)])
            assert stored(server, run, "dice")[-1] == (epoch, epoch / 100)


def test_a_server_that_is_killed_and_comes_back_has_every_epoch_once(server: MlflowServer, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("kept")
    with tracking(server).training("job", "d", {}) as parent, tracking(server).attempt("a", "d", {}, parent) as run:
        train(run, range(1, 4))
        server.stop()
        train(run, range(4, 8))
        comeback = threading.Timer(1, server.start)
        comeback.start()
        run.files(tmp_path, "files")
        comeback.join()
        train(run, range(8, 10))
    for name in ("loss", "dice"):
        assert stored(server, run, name) == [(epoch, row(epoch)[name]) for epoch in range(1, 10)]
    assert [each.path for each in server.client.list_artifacts(run.run_id, "files")] == ["files/note.txt"]
    assert [server.client.get_run(each.run_id).info.status for each in (parent, run)] == ["FINISHED", "FINISHED"]


def test_a_server_that_freezes_for_a_while_has_every_epoch_once(server: MlflowServer) -> None:
    with tracking(server).attempt("a", "d", {}) as run:
        train(run, range(1, 3))
        server.freeze()
        train(run, range(3, 6))
        server.thaw()
        train(run, range(6, 8))
    assert stored(server, run, "dice") == [(each, each / 100) for each in range(1, 8)]
    assert server.client.get_run(run.run_id).info.status == "FINISHED"


def test_epochs_that_are_stored_after_the_server_was_given_up_on_are_there_once(server: MlflowServer) -> None:
    with tracking(server).attempt("a", "d", {}) as run:
        with server.busy():
            train(run, range(1, 4))
        until(lambda: stored(server, run, "dice") != [])
    assert stored(server, run, "dice") == [(each, each / 100) for each in range(1, 4)]


def test_a_run_that_is_started_after_the_server_was_given_up_on_is_not_started_twice(
    server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started() -> list[Any]:
        return server.runs("attributes.run_name = 'heard late'")

    with tracking(server).training("job", "d", {}) as parent, contextlib.ExitStack() as busy:

        def comes_back_before_the_next_try(_: Pause) -> float:
            busy.close()
            until(lambda: started() != [])
            return 0

        monkeypatch.setattr(Pause, "longer", comes_back_before_the_next_try)
        busy.enter_context(server.busy())
        with tracking(server).attempt("heard late", "d", {}, parent):
            pass
    assert [run.info.status for run in started()] == ["FINISHED"]


def test_a_server_that_stays_away_fails_the_run_by_name_and_leaves_it_to_be_closed(server: MlflowServer) -> None:
    with (
        pytest.raises(RegistryError, match=rf"{server.address}.*WMS_MLFLOW_PATIENCE_SECONDS"),
        tracking(server, 2).training("doomed", "d", {}) as parent,
        tracking(server, 2).attempt("doomed", "d", {}, parent) as run,
    ):
        server.stop()
        train(run, range(1, 4))
    server.start()
    assert {server.client.get_run(each.run_id).info.status for each in (parent, run)} == {"RUNNING"}


def test_what_the_server_refuses_is_not_tried_again(server: MlflowServer) -> None:
    run = TrackedRun(server.client, server.address, "0" * 32, "0", patience=3600)
    with pytest.raises(RegistryError, match="not found"):
        run.epochs([row(1)])
    with pytest.raises(RegistryError, match="not found"):
        run.tags({"a": "b"})


def test_a_refused_password_is_not_tried_again() -> None:
    class Guarded(BaseHTTPRequestHandler):
        asked = 0

        def do_POST(self) -> None:
            type(self).asked += 1
            self.send_error(401)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    guard = HTTPServer(("127.0.0.1", 0), Guarded)
    threading.Thread(target=guard.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{guard.server_port}"
    with (
        pytest.raises(RegistryError, match="401"),
        Tracking(uri=uri, artifacts="", experiment="e", patience_seconds=3600).training("job", "d", {}),
    ):
        pass
    guard.shutdown()
    assert Guarded.asked == 1


def test_a_run_is_shown_by_its_page(server: MlflowServer) -> None:
    with tracking(server).training("job", "d", {}) as run:
        assert run.where == f"{server.address}/#/experiments/{run.experiment_id}/runs/{run.run_id}"


def test_an_error_of_the_training_is_not_hidden_by_a_server_that_is_away(server: MlflowServer) -> None:
    with pytest.raises(ValueError, match="the real reason"), tracking(server, 1).attempt("a", "d", {}):
        server.stop()
        raise ValueError("the real reason")
