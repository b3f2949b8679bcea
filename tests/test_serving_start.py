"""How the service starts, refuses to start, and stops."""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.app import create_app
from serving.release import read
from serving.service import Service
from serving.settings import ServingSettings, cores
from tests.live_app import live
from tests.onnx_model import write_release
from tests.serving_process import ROOT, command, refused, running
from tests.uploads import big_photo, photo
from wms_ml.errors import DeploymentError


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release")
    return tmp_path / "release"


@pytest.fixture
def unread(release: Path) -> Path:
    """What a release states, as a pipe: a service that reads it is loading until the test writes."""
    (release / "release.json").rename(release / "stated")
    os.mkfifo(release / "release.json")
    return release / "release.json"


@contextmanager
def loading(unread: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A service that listens and has no model yet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen(command(unread.parent, "--port", str(port)), cwd=ROOT, **pipes) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        while is_closed(http.base_url):
            time.sleep(0.01)
        yield process, http
        process.terminate()


def test_it_listens_at_once_and_is_not_ready_before_its_model_is(unread: Path) -> None:
    with loading(unread) as (process, http):
        assert http.get("/health").json() == {"status": "alive"}
        waiting = [http.get("/ready"), http.get("/version"), http.post("/predict", files={"image": photo()})]
        assert [(each.status_code, each.json()["error"]) for each in waiting] == [(503, "not-ready")] * 3
        assert all(int(each.headers["retry-after"]) > 0 for each in waiting)
        assert 'wms_model_loaded{model_version="none"} 0.0' in http.get("/metrics").text
        unread.write_bytes((unread.parent / "stated").read_bytes())
        assert process.stdout
        assert process.stdout.readline().startswith("serving reading-window version 7 at ")
        assert http.get("/ready").json() == {"status": "ready", "model_version": "7", "share": 0}
        assert http.post("/predict", files={"image": photo()}).json()["found"]


def test_a_release_that_cannot_be_loaded_ends_the_process_that_listens_already(unread: Path) -> None:
    with loading(unread) as (process, http):
        assert http.get("/ready").status_code == 503
        unread.write_text("{")
        said, errors = process.communicate(timeout=30)
    assert (process.returncode, said) == (1, "")
    assert errors.splitlines()[-1].startswith(f"error: {unread} is not JSON")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"WMS_SERVING_PROFILE": "production"}, "set WMS_SERVING_API_KEY"),
        ({"WMS_SERVING_WORKERS": "many"}, "WMS_SERVING_WORKERS: "),
        ({"WMS_SERVING_QUEU": "3"}, "unknown setting WMS_SERVING_QUEU: "),
        ({"WMS_SERVING_CORS_ORIGINS": "https://a.example"}, "WMS_SERVING_CORS_ORIGINS: not a JSON list"),
    ],
    ids=["no key", "no number", "no such setting", "no list"],
)
def test_settings_that_make_no_sense_are_refused_with_a_sentence(
    release: Path, settings: dict[str, str], said: str
) -> None:
    told = refused(release, "--port", "0", **settings)
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert said in told


@contextmanager
def loaded(release: Path, **settings: Any) -> Iterator[httpx.Client]:
    """A service of this process."""
    service = Service(release, ServingSettings(**settings))
    service.load()
    with live(create_app(service)) as http:
        yield http
    service.close()


def test_a_key_is_demanded_of_callers_who_want_predictions(release: Path) -> None:
    with loaded(release, profile="production", api_key="a-secret") as http:
        refused_one = http.post("/predict", files={"image": photo()})
        assert (refused_one.status_code, refused_one.json()["error"]) == (401, "unauthorized")
        assert http.post("/predict", files={"image": photo()}, headers={"X-API-Key": "a-secret"}).json()["found"]


def test_predictions_are_remembered_where_the_settings_say(release: Path, tmp_path: Path) -> None:
    with loaded(release, prediction_log=str(tmp_path / "log")) as http:
        http.post("/predict", files={"image": photo(6)}, headers={"X-Request-ID": "meter-7"})
    (day,) = (tmp_path / "log").iterdir()
    row = json.loads(day.read_text())
    assert (row["request_id"], row["width"], row["height"], row["orientation"]) == ("meter-7", 48, 96, 6)


def test_an_open_door_without_a_key_is_said(release: Path, tmp_path: Path) -> None:
    with running(release, tmp_path / "errors.log", "--host", "0.0.0.0", "--port", "0"):
        pass
    assert "WMS_SERVING_API_KEY" in (tmp_path / "errors.log").read_text()


def test_a_container_is_not_taken_for_its_whole_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    monkeypatch.setattr("serving.settings._QUOTA", tmp_path / "cpu.max")
    alone = ServingSettings()
    assert (cores(), alone.at_work, alone.threads_each, alone.waiting) == (1, 1, 1, 1)


def test_it_says_in_one_line_what_it_serves_and_where(release: Path, tmp_path: Path) -> None:
    with running(release, tmp_path / "errors.log", "--port", "0", "--label", "anything") as service:
        assert service.line == f"serving reading-window version 7 at {service.url}"
        assert httpx.get(f"{service.url}/ready").status_code == 200


def test_a_model_other_than_the_stated_one_is_not_served(release: Path) -> None:
    with (release / "model.onnx").open("ab") as model:
        model.write(b"\0")
    said = refused(release, "--port", "0")
    assert said.startswith(f"error: {release / 'model.onnx'} is sha256:")
    assert said.count("\n") == 1


def test_a_whole_release_is_read_as_it_was_stated(release: Path) -> None:
    assert read(release).stated() == json.loads((release / "release.json").read_text())


@pytest.mark.parametrize(
    "instead",
    [
        {"model_name": ""},
        {"model_version": 7},
        {"data_version": None},
        {"tag": "line\nbreak"},
        {"digest": "sha256:0"},
        {"metrics": {"dice": 0.9}},
        {"metrics": {"dice": 0.9, "iou": True}},
        {"metrics": {"dice": float("nan"), "iou": 0.8}},
        {"metrics": 0.9},
    ],
    ids=str,
)
def test_a_release_that_misstates_something_is_refused(tmp_path: Path, instead: dict[str, Any]) -> None:
    write_release(tmp_path / "release", **instead)
    with pytest.raises(DeploymentError, match="deploy the version again"):
        read(tmp_path / "release")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda folder: (folder / "model.onnx").unlink(), id="no model"),
        pytest.param(lambda folder: (folder / "release.json").unlink(), id="no statement"),
        pytest.param(lambda folder: (folder / "release.json").write_text("{"), id="half a statement"),
        pytest.param(lambda folder: (folder / "release.json").write_bytes(b"\xff"), id="no text"),
        pytest.param(lambda folder: (folder / "release.json").write_text("[]"), id="no object"),
    ],
)
def test_a_damaged_release_is_refused_by_name(release: Path, damage: Callable[[Path], None]) -> None:
    damage(release)
    with pytest.raises(DeploymentError, match=str(release)):
        read(release)


def test_a_taken_port_is_named(release: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} on 127.0.0.1 is taken" in refused(release, "--port", str(port))


def test_an_address_that_is_not_ours_is_named(release: Path) -> None:
    assert "port 0 on 192.0.2.1 cannot be used" in refused(release, "--host", "192.0.2.1", "--port", "0")


def test_a_request_in_flight_is_answered_before_it_stops(release: Path, tmp_path: Path) -> None:
    with running(release, tmp_path / "errors.log") as service:
        address = httpx.URL(service.url)
        connection = http.client.HTTPConnection(address.host, address.port, timeout=60)
        connection.request("POST", "/predict", big_photo(), {"Content-Type": "image/png"})
        assert httpx.get(f"{service.url}/health").status_code == 200  # came later, so the picture has come in
        service.process.terminate()
        while not is_closed(address):
            time.sleep(0.01)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["found"]) == (200, False)
        assert service.process.wait(30) == 0
    assert [json.loads(line)["status"] for line in (tmp_path / "errors.log").read_text().splitlines()] == [200]


def is_closed(address: httpx.URL) -> bool:
    try:
        with socket.create_connection((address.host, address.port or 80)):
            return False
    except OSError:
        return True
