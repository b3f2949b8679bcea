"""A rollout that is killed at any step is finished by the next one, and nobody who calls the service notices."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.bad_models import marks_green
from tests.rollout_world import QUICK, World
from tests.serving_process import ROOT
from wms_resources.deployment.rollout import Step
from wms_resources.deployment.targets import Package

MOMENTS = [
    (Step.LOOK, 0),
    (Step.CLEAR, 0),
    (Step.PUT_CANARY, 0),
    (Step.PUT_CANARY, 0.4),
    (Step.PROVE_CANARY, 0),
    (Step.SHARE, 0),
    (Step.SHARE, 0.4),
    (Step.WATCH, 0),
    (Step.PUT_STABLE, 0),
    (Step.PUT_STABLE, 0.4),
    (Step.PROVE_STABLE, 0),
    (Step.REMOVE_CANARY, 0),
]
"""Steps as they begin, and so many seconds later: in their midst."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One where version 1 serves."""
    monkeypatch.setenv("WMS_SERVING_QUEUE", "50")
    world = World(tmp_path)
    world.put(world.release())
    yield world
    world.target.stop()


def killed(world: World, package: Package, step: Step, seconds: float = 0) -> None:
    about = json.dumps(asdict(package))
    line = [sys.executable, "-m", "tests.dying_rollout", str(world.home), about, step, str(seconds)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, (step, seconds, done.stderr)


def test_killed_again_and_again_it_gets_on_each_time_and_is_finished_by_the_last(world: World) -> None:
    """Each run begins with what the one before it left, and comes at least as far: the moments are in their order."""
    other, package = world.release(), world.release()
    with world.called() as callers:
        killed(world, other, Step.WATCH)  # leaves a canary of its own behind
        assert world.serves() == ("1", "2")
        for step, seconds in MOMENTS:
            killed(world, package, step, seconds)
        assert world.serves() == ("3", "3")
        world.roll_out(package)
    assert callers.failures == []
    assert world.serves() == ("3", None)


def test_killed_while_it_puts_back_what_stood_before_it_is_undone_by_the_next_release(world: World) -> None:
    nonsense, package = world.release(marks_green), world.release()
    with world.called() as callers:
        killed(world, nonsense, Step.RESTORE)
        assert world.serves() == ("1", "2")
        world.roll_out(package, QUICK)
    assert callers.failures == []
    assert world.serves() == ("3", None)
