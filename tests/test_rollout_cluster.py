"""Whole rollouts on a real Kubernetes, while people call without pause: whatever happens, they are answered."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bad_models import fails_on_blue, marks_green
from tests.callers import Callers
from tests.cluster import Cluster, running
from tests.dying_rollout import ENVIRONMENT
from tests.onnx_model import write_red_model
from tests.rollout_world import QUICK, World
from tests.serving_process import ROOT
from wms_ml.errors import RolloutError
from wms_resources.deployment.canary_watch import Plan
from wms_resources.deployment.rollout import Step
from wms_resources.deployment.targets import Package, Track
from wms_resources.deployment.trials import end_trial, trial

pytestmark = pytest.mark.slow

KILLED_AT = (
    (Step.PUT_CANARY, 0),
    (Step.PUT_CANARY, 1.5),  # Helm is at work
    (Step.PROVE_CANARY, 0),
    (Step.SHARE, 1.5),
    (Step.WATCH, 0),
    (Step.PUT_STABLE, 1.5),
    (Step.PROVE_STABLE, 0),
    (Step.REMOVE_CANARY, 0),
)


class ClusterWorld(World):
    """An environment on a cluster; one caller at a time, for its pods are small."""

    def __init__(self, home: Path, cluster: Cluster) -> None:
        super().__init__(home, cluster.target(ENVIRONMENT))
        self.cluster = cluster

    def release(self, write: Callable[[Path], object] = write_red_model, *more: str) -> Package:
        return self.cluster.packaged(super().release(write), *more)

    @contextmanager
    def called(self, count: int = 1, picture: bytes | None = None) -> Iterator[Callers]:
        with super().called(count, picture) as callers:
            yield callers

    def kill(self, package: Package, step: Step, seconds: float) -> None:
        about = (str(self.home), json.dumps(asdict(package)), step, str(seconds), self.cluster.name)
        line = [sys.executable, "-m", "tests.dying_rollout", *about]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == -signal.SIGKILL, (step, seconds, done.stderr)

    def answered(self, track: Track) -> dict[str, float]:
        """Pictures that a track has answered, by model version."""
        found: dict[str, float] = {}
        with self.target.instances(track) as urls:
            for url in urls:
                for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text):
                    for sample in family.samples:
                        if sample.name == "wms_predictions_total":
                            version = sample.labels["model_version"]
                            found[version] = found.get(version, 0) + sample.value
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterWorld]:
    """One where version 1 was the first ever to be rolled out; every test leaves one version serving, alone."""
    folder = tmp_path_factory.mktemp("rollouts")
    with running(folder) as cluster:
        world = ClusterWorld(folder, cluster)
        first = world.release()
        assert world.roll_out(first).before is None
        assert world.serves() == ("1", None)
        yield world


@pytest.fixture
def serving(world: ClusterWorld) -> Iterator[str | None]:
    """The version that serves before and after a release that fails; callers notice nothing of it."""
    before = world.serves()
    with world.called() as callers:
        yield before[0]
    assert callers.failures == []
    assert world.serves() == before


def test_a_new_model_goes_by_canary_to_everybody(world: ClusterWorld) -> None:
    package = world.release()
    with world.called() as callers:
        outcome = world.roll_out(package)
    assert callers.failures == []
    assert world.serves() == (package.model_version, None)
    assert outcome.watch is not None
    assert min(outcome.watch.canary.answered, outcome.watch.stable.answered) >= QUICK.requests


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('CMD ["python", "-c", "raise SystemExit(\'no such luck\')"]', "no such luck"),
        ('CMD ["sleep", "600"]', "probe failed"),
    ],
    ids=["an image that ends", "an image that is never ready"],
)
def test_a_release_that_does_not_come_up_goes_again(
    world: ClusterWorld, serving: str, line: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.target, "ready_seconds", 15)
    with pytest.raises(RolloutError, match=said) as caught:
        world.roll_out(world.release(write_red_model, line))
    assert (caught.value.step, caught.value.blames_release, caught.value.restored) == (Step.PUT_CANARY, True, True)


def test_nonsense_is_found_before_anybody_sees_it(world: ClusterWorld, serving: str) -> None:
    with pytest.raises(RolloutError, match="golden pictures") as caught:
        world.roll_out(world.release(marks_green))
    assert (caught.value.step, caught.value.blames_release) == (Step.PROVE_CANARY, True)


def test_a_canary_that_fails_on_peoples_pictures_loses_and_they_are_answered_all_the_same(
    world: ClusterWorld, serving: str
) -> None:
    plan = Plan(canary=True, share=0.5, seconds=60, requests=6, poll_seconds=0.5)
    with pytest.raises(RolloutError) as caught:
        world.roll_out(world.release(fails_on_blue), plan)
    assert caught.value.step is Step.WATCH
    assert "failed" in caught.value.seen


def test_two_versions_share_the_pictures_and_are_counted_apart(world: ClusterWorld, serving: str) -> None:
    package = world.release()
    trial(world.target, package, 0.5, world.golden)
    assert world.serves() == (serving, package.model_version)
    counted = world.answered(Track.CANARY).get(package.model_version, 0)
    deadline = time.monotonic() + 60
    while counted < 5 and time.monotonic() < deadline:  # the callers of `serving` send pictures meanwhile
        time.sleep(0.5)
        counted = world.answered(Track.CANARY).get(package.model_version, 0)
    assert counted >= 5
    assert set(world.answered(Track.STABLE)) == {serving}
    ended = end_trial(world.target)
    assert ended is not None and ended.package == package


def test_going_back_takes_no_canary(world: ClusterWorld) -> None:
    standing = world.target.standing().stable
    assert standing is not None
    package = world.release()
    with world.called() as callers:
        world.roll_out(package, replace(QUICK, canary=False))
        world.roll_out(standing.package, replace(QUICK, canary=False))
    assert callers.failures == []
    assert world.serves() == (standing.package.model_version, None)


def test_killed_at_every_step_it_is_finished_by_the_last_run_and_nobody_notices(world: ClusterWorld) -> None:
    package = world.release()
    with world.called() as callers:
        for step, seconds in KILLED_AT:
            world.kill(package, step, seconds)
        world.roll_out(package)
    assert callers.failures == []
    assert world.serves() == (package.model_version, None)
