"""Releases get in front of people step by step, and a bad one is stopped while its callers notice nothing."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.bad_models import fails_on_blue, marks_green, slow_on_blue
from tests.rollout_world import QUICK, World
from tests.uploads import UPRIGHT, encoded
from wms_ml.errors import DeploymentError, RolloutError
from wms_resources.deployment.canary_watch import Plan
from wms_resources.deployment.release_folder import MASK, MODEL
from wms_resources.deployment.rollout import Step
from wms_resources.deployment.targets import Package
from wms_resources.deployment.trials import end_trial, trial
from wms_resources.machine.service_processes import ProcessRunner

pytestmark = pytest.mark.slow

WATCHED = replace(QUICK, seconds=60, requests=10)
"""A watch that people's own pictures decide; it ends early when the canary fails."""


def worlds(folder: Path) -> Iterator[World]:
    """One of nothing, ended at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WMS_SERVING_QUEUE", "50")  # nobody is turned away while a rollout asks, too
        world = World(folder)
        yield world
        world.target.stop()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    yield from worlds(tmp_path)


@pytest.fixture(scope="module")
def any_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One where a version serves; tests leave it as one."""
    for world in worlds(tmp_path_factory.mktemp("world")):
        world.put(world.release())
        yield world


@pytest.fixture
def world(any_world: World) -> World:
    any_world.at = lambda step: None
    assert any_world.target.standing().canary is None
    return any_world


def test_the_first_release_ever_goes_straight_to_the_stable_track_and_is_taken_down_when_it_draws_nonsense(
    empty: World,
) -> None:
    with pytest.raises(RolloutError, match=r"mean IoU 0\.00") as caught:
        empty.roll_out(empty.release(marks_green))
    assert empty.serves() == (None, None)
    assert (caught.value.step, caught.value.blames_release, caught.value.restored) == (Step.PROVE_STABLE, True, True)
    outcome = empty.roll_out(empty.release())
    assert empty.serves() == ("2", None)
    assert (outcome.before, outcome.watch) == (None, None)
    assert empty.steps == [Step.LOOK, Step.PUT_STABLE, Step.PROVE_STABLE]


def test_a_new_release_is_proved_watched_and_put_in_place_while_people_call(world: World) -> None:
    before, package = world.serves()[0], world.release()
    with world.called() as callers:
        outcome = world.roll_out(package, replace(QUICK, seconds=2))
    assert callers.failures == []
    assert world.serves() == (package.model_version, None)
    assert outcome.before is not None
    assert outcome.before.model_version == before
    assert outcome.watch is not None
    assert outcome.watch.objections == ()
    assert outcome.watch.stable.forwarded("answered") > 0
    assert list(outcome.seconds) == world.steps == [step for step in Step if step not in (Step.CLEAR, Step.RESTORE)]


def test_without_a_canary_it_is_proved_beside_what_serves_and_takes_no_pictures(world: World) -> None:
    package = world.release()
    outcome = world.roll_out(package, replace(QUICK, canary=False))
    assert outcome.watch is None
    assert world.steps[1:3] == [Step.PUT_CANARY, Step.PROVE_CANARY]
    assert Step.SHARE not in world.steps
    world.roll_out(package)
    assert world.steps == [Step.LOOK, Step.PUT_STABLE, Step.PROVE_STABLE], "it serves already, and is only proved"


def stopped(world: World, package: Package, plan: Plan = QUICK) -> RolloutError:
    """How a rollout failed that must leave everything as it was, unnoticed by those who call meanwhile."""
    before = world.serves()
    with world.called() as callers, pytest.raises(RolloutError) as caught:
        world.roll_out(package, plan)
    assert callers.failures == []
    assert world.serves() == before
    assert caught.value.restored
    assert f"version {before[0]}" in caught.value.stands
    return caught.value


def test_nonsense_is_found_before_anybody_is_sent_to_it(world: World) -> None:
    shares: list[float] = []

    def look(step: Step) -> None:
        canary = world.target.standing().canary
        shares.extend([canary.share] if canary else [])

    world.at = look
    error = stopped(world, world.release(marks_green))
    assert (error.step, error.blames_release) == (Step.PROVE_CANARY, True)
    assert "a.png 0.00, b.png 0.00" in error.reason
    assert set(shares) == {0}


def test_a_release_that_does_not_start_is_to_blame(world: World) -> None:
    package = world.release()
    (Path(package.folder) / MODEL).write_bytes(b"no model")
    error = stopped(world, package)
    assert (error.step, error.blames_release) == (Step.PUT_CANARY, True)


def test_a_canary_that_fails_on_peoples_pictures_loses_the_watch(world: World) -> None:
    error = stopped(world, world.release(fails_on_blue), WATCHED)
    assert (error.step, error.blames_release) == (Step.WATCH, True)
    assert "it failed on" in error.reason
    assert "| failed | 0 (0.0%) |" in error.seen


def test_a_canary_that_is_slow_on_peoples_pictures_loses_the_watch(world: World) -> None:
    error = stopped(world, world.release(slow_on_blue), WATCHED)
    assert (error.step, error.blames_release) == (Step.WATCH, True)
    assert "its p95 is" in error.reason


def test_a_canary_that_is_killed_loses_the_watch(world: World) -> None:
    def soon(step: Step) -> None:
        if step is Step.WATCH:
            threading.Timer(1, world.kill_canary).start()

    world.at = soon
    error = stopped(world, world.release(), WATCHED)
    assert (error.step, error.blames_release) == (Step.WATCH, True)
    assert "no instance of the canary track" in error.reason


def test_a_stable_track_that_hangs_is_replaced_without_a_watch(empty: World) -> None:
    empty.put(empty.release())
    (hung,) = ProcessRunner(empty.home / "service").find()
    os.kill(int(hung.name.split()[-1]), signal.SIGSTOP)
    outcome = empty.roll_out(empty.release())
    assert empty.serves() == ("2", None)
    assert outcome.watch is None
    assert Step.PROVE_CANARY in empty.steps


def test_a_stable_track_that_was_replaced_gets_its_former_release_back(world: World) -> None:
    package = world.release()

    def spoil(step: Step) -> None:
        """The mask that is known becomes another one, when nothing but the stable track is left to prove."""
        if step is Step.PROVE_STABLE:
            (Path(package.folder) / MASK).write_bytes(encoded(Image.new("L", UPRIGHT)))

    world.at = spoil
    error = stopped(world, package)
    assert (error.step, error.blames_release) == (Step.PROVE_STABLE, True)
    assert Step.RESTORE in world.steps


def test_a_release_that_a_killed_rollout_put_in_place_gives_way_to_the_former_one_that_its_caller_knows(
    world: World,
) -> None:
    standing, nonsense = world.target.standing().stable, world.release(marks_green)
    assert standing is not None
    former = standing.package
    world.put(nonsense)
    with pytest.raises(RolloutError) as unknown:
        world.roll_out(nonsense)
    assert (unknown.value.restored, world.serves()) == (False, (nonsense.model_version, None))
    with pytest.raises(RolloutError) as known:
        world.roll_out(nonsense, former=former)
    assert (known.value.restored, world.serves()) == (True, (former.model_version, None))


def test_the_target_and_not_the_release_is_blamed_for_what_the_target_cannot_do(world: World) -> None:
    error = stopped(world, replace(world.release(), folder=str(world.home / "nowhere")))
    assert (error.step, error.blames_release) == (Step.PUT_CANARY, False)


def test_a_person_who_stops_a_rollout_gets_back_what_stood_before(world: World) -> None:
    def interrupt(step: Step) -> None:
        if step is Step.WATCH:
            raise KeyboardInterrupt

    before, package = world.serves(), world.release()
    world.at = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.roll_out(package)
    assert world.serves() == before


def test_a_second_rollout_at_a_time_is_refused_and_touches_nothing(world: World) -> None:
    package = world.release()
    with world.target.lock(), pytest.raises(DeploymentError, match="another deployment") as caught:
        world.roll_out(package)
    assert not isinstance(caught.value, RolloutError)
    assert world.steps == []


def test_two_versions_stand_side_by_side_until_their_comparison_is_ended(world: World) -> None:
    before, package = world.serves()[0], world.release()
    trial(world.target, package, 0.5, world.golden)
    trial(world.target, package, 0.3, world.golden)
    canary = world.target.standing().canary
    assert canary is not None
    assert (canary.trial, canary.share) == (True, 0.3)
    with pytest.raises(DeploymentError, match="wms ab stop"):
        world.roll_out(world.release())
    assert world.serves() == (before, package.model_version)
    assert end_trial(world.target) == canary
    assert world.serves() == (before, None)
    assert end_trial(world.target) is None


def test_a_comparison_with_nonsense_does_not_begin(world: World) -> None:
    before = world.serves()
    with pytest.raises(RolloutError, match=r"mean IoU 0\.00") as caught:
        trial(world.target, world.release(marks_green), 0.5, world.golden)
    assert caught.value.blames_release
    assert world.serves() == before
