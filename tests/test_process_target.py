"""What only services of processes do: served from folders, in the foreground, too, with inherited settings."""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.machine_bench import Bench, bench
from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.targets import Track
from wms_resources.machine.instances import Role
from wms_resources.machine.process_target import ProcessTarget


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Bench]:
    """Not deployed to yet."""
    with bench(tmp_path, ProcessTarget, {}) as service:
        yield service


def test_a_service_in_the_foreground_is_the_stable_track_and_gives_way(service: Bench) -> None:
    target = ProcessTarget(service.folder, port=service.port)
    command, environment = target.foreground(service.old)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as foreground:
        assert foreground.stdout
        assert foreground.stdout.readline() == f"serving reading-window version 7 at {service.url}\n"
        with pytest.raises(DeploymentError, match=f"version 7 is served at {service.url} already"):
            target.foreground(service.new)
        target.put(Track.STABLE, service.new)
        assert foreground.wait(60) == 0
    assert service.ask() == "8"


@pytest.mark.parametrize("track", Track)
def test_a_setting_that_the_service_refuses_is_not_the_fault_of_the_release(
    service: Bench, monkeypatch: pytest.MonkeyPatch, track: Track
) -> None:
    monkeypatch.setenv("WMS_SERVING_PROFILE", "production")
    with pytest.raises(DeploymentError, match="WMS_SERVING_API_KEY") as refused:
        service.target.put(track, service.old)
    assert not isinstance(refused.value, ReleaseError)
    assert service.found() == []


def test_while_another_program_has_the_canarys_port_there_is_none_and_the_next_stable_release_looks_elsewhere(
    service: Bench,
) -> None:
    service.target.put(Track.STABLE, service.old)
    (stable,) = service.found(Role.STABLE)
    with socket.create_server(("127.0.0.1", stable.post.canary_port)):
        with pytest.raises(DeploymentError, match="is taken by another program") as refused:
            service.target.put(Track.CANARY, service.new)
        assert not isinstance(refused.value, ReleaseError)
        service.target.put(Track.STABLE, service.new)
        service.target.put(Track.CANARY, service.old)
    assert [each.post.port for each in service.found(Role.CANARY)] != [stable.post.canary_port]


@pytest.mark.parametrize("folder", ["", "/nowhere"])
def test_a_release_without_a_folder_here_is_refused_before_anything_is_touched(service: Bench, folder: str) -> None:
    with pytest.raises(DeploymentError, match="deploy its version again"):
        service.target.put(Track.STABLE, replace(service.old, folder=folder))
    assert not service.folder.exists()


def test_a_port_that_is_not_set_is_chosen_once_and_again_only_when_another_program_took_it(service: Bench) -> None:
    chosen = replace(service, port=0)
    with pytest.raises(DeploymentError, match="deploy first"):
        _ = chosen.target.url
    chosen.target.put(Track.STABLE, chosen.old)
    url = chosen.target.url
    chosen.target.put(Track.STABLE, chosen.new)
    assert [each.post.url for each in chosen.found(Role.STABLE)] == [url] == [chosen.target.url]
    chosen.target.stop()
    with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))):
        chosen.target.put(Track.STABLE, chosen.old)
        assert [each.post.url for each in chosen.found(Role.STABLE)] == [chosen.target.url] != [url]
