"""The local service is replaced without harm to its callers, and a killed deployment is put right by the next one."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.callers import Callers
from tests.onnx_model import write_release
from tests.rig import free_port
from tests.serving_process import ROOT
from wms_ml.errors import DeploymentError
from wms_resources import local_service, service_processes
from wms_resources.local_service import LocalService
from wms_resources.service_processes import Started, command, find

OLD, NEW = "0000000000aa", "0000000000bb"


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Two of them, in folders of their tags."""
    for tag in (OLD, NEW):
        write_release(tmp_path / tag, tag=tag)
    return tmp_path


@pytest.fixture
def service(tmp_path: Path, releases: Path) -> Iterator[LocalService]:
    """One that serves the old release, started in the foreground."""
    service = LocalService(folder=str(tmp_path / "service"), port=free_port())
    foreground = Started(service.foreground(releases / OLD), tmp_path / "foreground.log")
    foreground.wait_until(foreground.announced)
    yield service
    service.stop()
    foreground.end()


def believed(url: str) -> None:
    """A proof that every service passes."""


def test_no_call_fails_while_a_release_replaces_another(service: LocalService, releases: Path) -> None:
    before = service.current()
    tags = set()

    def ask() -> None:
        assert httpx.get(f"http://127.0.0.1:{service.port}/ready", timeout=60).status_code == 200
        tags.add(httpx.get(f"http://127.0.0.1:{service.port}/version", timeout=60).json()["tag"])

    with Callers(ask, ask) as callers:
        deployed = service.deploy(releases / NEW, believed)
        ask()
    assert callers.failures == []
    assert tags == {OLD, NEW}
    assert before is not None
    assert [each.process.pid for each in find(service.folder)] == [deployed.pid]
    assert service.deploy(releases / NEW, believed) == deployed


def test_a_release_that_does_not_prove_itself_is_not_heard_of_again(service: LocalService, releases: Path) -> None:
    before = service.current()

    def doubted(url: str) -> None:
        raise DeploymentError(f"{url} is not believed")

    with pytest.raises(DeploymentError, match="not believed"):
        service.deploy(releases / NEW, doubted)
    assert service.current() == before
    assert len(find(service.folder)) == 1


def test_a_deployment_killed_when_the_new_process_starts_is_completed_by_that_process(
    service: LocalService, releases: Path
) -> None:
    code = (
        "from pathlib import Path; from wms_resources.local_service import LocalService\n"
        f"service = LocalService(folder={service.folder!r}, port={service.port})\n"
        f"service.deploy(Path({str(releases / NEW)!r}), lambda url: None)\n"
    )
    deploying = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    while len([each for each in find(service.folder) if each.public]) < 2:
        assert deploying.poll() is None
        time.sleep(0.01)
    deploying.kill()
    deploying.wait()
    started = find(service.folder)[-1].process
    psutil.wait_procs([each.process for each in find(service.folder)[:-1]], timeout=60)
    deployed = service.deploy(releases / NEW, believed)
    assert (deployed.tag, deployed.pid) == (NEW, started.pid)


def test_processes_that_a_killed_deployment_left_are_ended(
    service: LocalService, releases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = service.current()
    for module in (local_service, service_processes):
        monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    hung, rehearsal = (
        Started(
            command(service.folder, releases / NEW, service.host, port, public=public), Path(service.folder) / "x.log"
        )
        for port, public in ((service.port, True), (free_port(), False))
    )
    for process in (hung, rehearsal):
        psutil.Process(process.pid).send_signal(signal.SIGSTOP)
    assert service.deploy(releases / OLD, believed) == before
    assert len(find(service.folder)) == 1
    hung.end()
    rehearsal.end()
