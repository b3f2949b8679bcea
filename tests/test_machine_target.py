"""Services of this machine, as processes and as containers, are replaced without harm to their callers, and what a
killed deployment leaves is put right by the next one."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.callers import Callers
from tests.containers import built
from tests.machine_bench import Bench, bench, hang, images_of_releases, kill, until
from tests.rig import free_port
from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.targets import Placed, Standing, Track
from wms_resources.machine import instances, machine_target, service_containers, service_processes
from wms_resources.machine.container_target import ContainerTarget
from wms_resources.machine.instances import Role
from wms_resources.machine.process_target import ProcessTarget

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[ProcessTarget, ContainerTarget])
def images(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """For each tag its image; none where processes are tried."""
    if request.param is ProcessTarget:
        yield {}
        return
    with built() as code, images_of_releases(code, tmp_path_factory.mktemp("images")) as images:
        yield images


@pytest.fixture
def service(images: dict[str, str], tmp_path: Path) -> Iterator[Bench]:
    """Not deployed to yet."""
    with bench(tmp_path, ContainerTarget if images else ProcessTarget, images) as service:
        yield service


@pytest.fixture
def old(service: Bench) -> Bench:
    """It serves the old release."""
    service.target.put(Track.STABLE, service.old)
    return service


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that hang are given up after a moment."""
    for module in (instances, machine_target, service_processes, service_containers):
        monkeypatch.setattr(module, "STOP_SECONDS", 1)
    monkeypatch.setattr("wms_resources.machine.service_start._LONGEST_SILENCE", 1)


def test_no_call_fails_while_a_release_replaces_another_and_putting_it_again_changes_nothing(old: Bench) -> None:
    answered: list[str] = []
    with Callers(*[lambda: answered.append(old.ask())] * 2) as callers:
        until(lambda: answered)
        old.target.put(Track.STABLE, old.new)
        old.ask()
    assert callers.failures == []
    assert answered[0] == "7"
    assert answered[-1] == "8"
    (serving,) = old.found()
    old.target.put(Track.STABLE, old.new)
    assert [each.name for each in old.found()] == [serving.name]
    assert old.target.standing() == Standing(Placed(old.new, 1, False, True, 1), None)


def test_a_canary_takes_its_share_and_no_call_fails_when_it_comes_changes_or_is_killed(old: Bench) -> None:
    answered: list[str] = []
    with Callers(lambda: answered.append(old.ask())) as callers:
        for share, trial in ((0.25, False), (0.5, True)):
            old.target.put(Track.CANARY, old.new, share=share, trial=trial)
            assert old.target.standing().canary == Placed(old.new, share, trial, True, 1)
            until(lambda: "8" in answered[-10:])
        kill(*old.found(Role.CANARY))
        until(lambda: old.target.standing().canary is None)
        count = len(answered)
        until(lambda: len(answered) > count + 20)
    assert callers.failures == []
    assert set(answered[-5:]) == {"7"}


def test_the_canary_stays_when_the_stable_release_is_replaced(old: Bench) -> None:
    old.target.put(Track.CANARY, old.new, share=0.5)
    (canary,) = old.found(Role.CANARY)
    old.target.put(Track.STABLE, replace(old.new, tag=old.new.tag))
    assert [each.name for each in old.found(Role.CANARY)] == [canary.name]
    assert old.found(Role.STABLE)[0].post.canary_port == canary.post.port
    old.target.remove(Track.CANARY)
    assert old.target.standing() == Standing(Placed(old.new, 1, False, True, 1), None)


@pytest.mark.parametrize("track", Track)
def test_a_release_that_is_never_ready_leaves_what_was_there(old: Bench, track: Track) -> None:
    before = old.target.standing()
    with pytest.raises(ReleaseError, match=r"ended with exit code 1: (.|\n)*delete this release folder"):
        old.target.put(track, old.damaged, share=0.5)
    assert old.target.standing() == before
    assert len(old.found()) == 1
    assert old.ask() == "7"


@pytest.mark.parametrize("track", Track)
def test_a_release_that_says_it_is_another_is_not_heard_of_again(old: Bench, track: Track) -> None:
    with pytest.raises(ReleaseError, match="serves release 0000000000bb"):
        old.target.put(track, replace(old.new, tag="0000000000cc"), share=1)
    assert [each.post.package for each in old.found()] == [old.old]


def test_a_release_that_takes_too_long_is_given_up(old: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wms_resources.machine.service_start.START_SECONDS", 0.1)
    with pytest.raises(ReleaseError, match=r"was not ready after 0\.1 s"):
        old.target.put(Track.STABLE, old.new)
    assert [each.post.package for each in old.found()] == [old.old]


def test_an_instance_that_is_killed_as_it_starts_is_not_the_fault_of_the_release(old: Bench) -> None:
    def kill_rehearsal() -> None:
        until(lambda: old.found(Role.REHEARSAL))
        kill(*old.found(Role.REHEARSAL))

    killing = threading.Thread(target=kill_rehearsal)
    killing.start()
    with pytest.raises(DeploymentError, match="was killed before it was ready: is there memory enough") as told:
        old.target.put(Track.STABLE, old.new)
    killing.join()
    assert not isinstance(told.value, ReleaseError)
    assert old.ask() == "7"


@pytest.mark.parametrize(
    ("track", "role"), [("STABLE", Role.REHEARSAL), ("STABLE", Role.STABLE), ("CANARY", Role.CANARY)]
)
def test_a_deployment_killed_when_it_starts_an_instance_is_completed_by_the_next(
    old: Bench, track: str, role: Role
) -> None:
    def started() -> bool:
        return any(each.post.package == old.new for each in old.found(role))

    with Callers(lambda: None if old.ask() in "78" else 1 / 0) as callers:
        deploying = old.deploying(f"target.put(Track.{track}, new, share=0.5)")
        until(started)
        deploying.kill()
        deploying.wait()
        seen = old.target.standing()
        assert seen.stable and seen.stable.package in (old.old, old.new)
        old.target.put(Track[track], old.new, share=0.5)
    assert callers.failures == []
    placed = old.target.standing().on(Track[track])
    assert placed and (placed.package, placed.ready) == (old.new, True)
    assert len(old.found()) == (2 if role is Role.CANARY else 1)


def test_a_second_deployment_is_refused_and_told_whose_the_first_is(service: Bench) -> None:
    deploying = service.deploying("with target.lock(): print(flush=True); import time; time.sleep(600)")
    holder = service.folder / "deploying.json"
    until(holder.exists)
    with pytest.raises(DeploymentError, match=rf"another deployment .*process {deploying.pid} on "):  # noqa: SIM117
        with service.target.lock():
            pass
    deploying.kill()
    deploying.wait()
    with service.target.lock(), pytest.raises(DeploymentError, match="another deployment"), service.target.lock():
        pass


@pytest.mark.usefixtures("impatient")
def test_instances_that_hang_are_ended_and_replaced(old: Bench) -> None:
    hang(*old.found())
    assert not old.target.standing().stable.ready
    assert old.target.current() is None
    old.target.put(Track.STABLE, old.new)
    assert [each.post.package for each in old.found()] == [old.new]
    assert old.ask() == "8"


@pytest.mark.usefixtures("impatient")
def test_tidying_up_ends_a_rehearsal_that_was_left_behind_and_says_so(old: Bench) -> None:
    deploying = old.deploying("target.put(Track.STABLE, new)")
    until(lambda: old.found(Role.REHEARSAL))
    deploying.kill()
    deploying.wait()
    (rehearsal,) = old.found(Role.REHEARSAL)
    hang(rehearsal)
    assert f"{rehearsal.name}, rehearsal of release {old.new.tag}" in old.target.tidy({old.old.tag})
    assert [each.post.package for each in old.found()] == [old.old]
    assert old.ask() == "7"


def test_it_moves_to_another_port_when_one_is_set(old: Bench) -> None:
    moved = replace(old, port=free_port())
    assert moved.target.standing().stable is None
    moved.target.put(Track.STABLE, moved.new)
    assert moved.ask() == "8"
    assert len(moved.found()) == 1


def test_while_another_program_has_the_port_nothing_is_deployed_and_nothing_is_harmed(old: Bench) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        moved = replace(old, port=other.getsockname()[1])
        with pytest.raises(DeploymentError, match=f"port {moved.port} on 127.0.0.1 is taken") as refused:
            moved.target.put(Track.STABLE, moved.new)
    assert not isinstance(refused.value, ReleaseError)
    assert old.ask() == "7"


def test_instances_are_reached_by_their_own_addresses_and_none_is_left_after_a_stop(old: Bench) -> None:
    old.target.put(Track.CANARY, old.new)
    for track, package in ((Track.STABLE, old.old), (Track.CANARY, old.new)):
        with old.target.instances(track) as addresses:
            (address,) = addresses
        assert address == next(each.post.url for each in old.found() if each.post.package == package)
    assert old.target.url == old.url
    assert old.target.stop() == 2
    assert old.target.standing() == Standing(None, None)
    assert old.found() == []
