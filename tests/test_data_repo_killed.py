"""The data repository after SIGKILL: calling again gives what an undisturbed run gives."""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.data_world import Drop, World, contents, dying_at, end, expected, kill, start
from wms_resources.data_repo import DataVersion


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def tracked(world: World, version: DataVersion) -> str:
    return world.git("ls-tree", "-r", version.commit, "images.dvc", "masks.dvc", "manifest")


class Disturbed:
    """A world where processes are killed while they propose, and its undisturbed twin."""

    def __init__(self, folder: Path) -> None:
        self.world, self.twin = World(folder), World(folder / "twin")
        self.versions: list[tuple[DataVersion, dict[str, bytes]]] = []
        self.base = self.world.drop("base", "a", "b")
        for world in (self.world, self.twin):
            world.clone().accept(world.clone().propose(*self.base))
        self.main = self.world.branches()["main"]

    def proposal(self, number: int) -> Callable[[], DataVersion]:
        return partial(self.world.clone().propose, *self.drop(number))

    def drop(self, number: int) -> Drop:
        return self.world.drop(f"drop{number}", f"x{number}")

    def check_cured(self, number: int) -> None:
        """Calling again gives what an undisturbed run gives, and `main` was never touched."""
        drop = self.drop(number)
        assert self.world.branches()["main"] == self.main
        version = self.world.clone().propose(*drop)
        undisturbed = self.twin.clone().propose(*drop)
        assert tracked(self.world, version) == tracked(self.twin, undisturbed)
        assert self.world.branches()[version.branch] == version.commit
        assert self.world.branches()["main"] == self.main
        self.versions.append((version, expected(self.base, drop)))

    def check_remote(self) -> None:
        """Somebody who has nothing yet gets every version whole."""
        newcomer = self.world.clone("newcomer")
        for version, files in self.versions:
            folder = self.world.folder / f"whole/{version.commit}"
            assert contents(newcomer.materialize(version, folder)) == files


def survives(work: Callable[[], object]) -> bool:
    status = end(start(work))
    assert status in (0, -signal.SIGKILL)
    return status == 0


COMMANDS = {"subprocess.Popen"}
FILES = {"shutil.copyfile", "os.rename", "os.chmod"}
LINKS = {"os.remove"}  # where files cannot be cloned, DVC tries, and then removes the empty file it made


@pytest.mark.parametrize(("events", "stride", "at_least"), [(COMMANDS, 2, 9), (FILES, 5, 5), (LINKS, 1, 0)])
def test_a_proposal_killed_at_any_step_is_cured_by_proposing_again(
    tmp_path: Path, events: set[str], stride: int, at_least: int
) -> None:
    disturbed = Disturbed(tmp_path)
    survived, kills = False, -1
    while not survived:
        kills += 1
        survived = survives(dying_at(kills * stride, events, disturbed.proposal(kills)))
        disturbed.check_cured(kills)
    assert kills >= at_least
    disturbed.check_remote()


def test_a_proposal_killed_at_any_moment_is_cured_by_proposing_again(tmp_path: Path) -> None:
    disturbed = Disturbed(tmp_path)
    delays = random.Random(7)
    for number in range(8):
        child = start(disturbed.proposal(number))
        time.sleep(delays.uniform(0.0, 0.3))
        kill(child)
        for lock in disturbed.world.origin.rglob("*.lock"):
            os.utime(lock, (0, 0))  # spares the test the wait for it to become old
        disturbed.check_cured(number)
    disturbed.check_remote()


def test_a_materialization_killed_at_any_step_is_cured_by_calling_again(world: World, tmp_path: Path) -> None:
    drop = world.drop("one", "a", "b")
    version = world.clone().propose(*drop)
    survived, step = False, 0
    while not survived:
        folder = tmp_path / f"data{step}"
        repo = world.clone(f"machine{step}")
        survived = survives(dying_at(step, FILES | LINKS, partial(repo.materialize, version, folder)))
        assert not folder.exists() or contents(folder) == expected(drop)
        assert contents(repo.materialize(version, folder)) == expected(drop)
        step += 3
    assert step > 9


def test_locks_of_killed_processes_do_not_block(world: World) -> None:
    repo = world.clone()
    version = repo.propose(*world.drop("one", "a"))
    ours, theirs = world.folder / "clone", world.origin
    stale = [theirs / "refs/heads/main.lock", theirs / "packed-refs.lock", ours / "git/packed-refs.lock"]
    stale += [ours / "git/refs/heads/main.lock", ours / "git/index.lock", ours / ".dvc/tmp/lock"]
    for lock in [*stale, ours / ".dvc/tmp/rwlock", ours / ".dvc/tmp/rwlock.lock"]:
        lock.write_text("9999999")
        os.utime(lock, (0, 0))
    assert repo.accept(version).commit == version.commit
    assert repo.propose(*world.drop("two", "b")).commit == world.branches()["data/two"]
