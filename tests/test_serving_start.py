"""How the service starts, refuses to start, and stops."""

import http.client
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.release import read
from tests.onnx_model import write_release
from tests.serving_process import refused, running
from tests.uploads import big_photo
from wms_ml.errors import DeploymentError


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release")
    return tmp_path / "release"


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


def test_two_share_a_port_only_when_both_are_told_to(release: Path, tmp_path: Path) -> None:
    with running(release, tmp_path / "one.log", "--port", "0", "--reuse-port") as one:
        port = one.url.rpartition(":")[2]
        assert "is taken" in refused(release, "--port", port)
        with running(release, tmp_path / "two.log", "--port", port, "--reuse-port") as two:
            assert two.url == one.url


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
    assert (tmp_path / "errors.log").read_text() == ""


def is_closed(address: httpx.URL) -> bool:
    try:
        with socket.create_connection((address.host, address.port or 80)):
            return False
    except OSError:
        return True
