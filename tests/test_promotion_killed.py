"""Promotion after SIGKILL between any two calls of MLflow and git: running it again ends as if nothing had happened.

Many calls only read: it is run again once from each different state that the kills leave behind.
"""

import signal
from collections.abc import Callable

import pytest

from tests.data_world import dying_at, end, start
from tests.promotion_world import Challenge, World
from tests.watched_registry import MLFLOW_CALL, around, watched
from wms_ml.errors import GateError
from wms_resources.promotion import Promotion

pytest_plugins = ["tests.promotion_world"]
pytestmark = pytest.mark.slow

CALLS = {"subprocess.Popen", MLFLOW_CALL}


def survives(work: Callable[[], object]) -> bool:
    status = end(start(work))
    assert status in (0, -signal.SIGKILL)
    return status == 0


def test_a_promotion_killed_at_any_step_is_finished_by_promoting_again(challenge: Challenge) -> None:
    world, restore = challenge.world, challenge.world.kept()

    def promote() -> Promotion:
        version = challenge.challenger.version
        return world.promoter.promote(watched(world.new_registry()), version, "v1", by="tests", reason="better")

    kills, tried = 0, set[int]()
    while not survives(dying_at(kills, CALLS, promote)):
        challenge.check_all_or_nothing()
        challenge.check_promoting_ends_it(tried)
        restore()
        kills += 1
    challenge.check_done()
    assert kills >= 25
    assert len(tried) >= 4


def test_a_deployment_finishes_a_promotion_that_was_killed_before_the_alias_moved(challenge: Challenge) -> None:
    cut_off(challenge)
    assert challenge.world.promoter.in_production(challenge.world.registry).version == challenge.challenger.version
    challenge.check_done()


def test_a_rollback_killed_at_any_step_is_finished_by_calling_again(challenge: Challenge) -> None:
    world = challenge.world
    world.promote(challenge.challenger)
    restore = world.kept()

    def rollback() -> Promotion:
        return world.promoter.rollback(watched(world.new_registry()), by="somebody", reason="nonsense", to="1")

    kills, tried = 0, set[int]()
    while not survives(dying_at(kills, CALLS, rollback)):
        assert (world.production(), len(world.history())) in (("2", 2), ("2", 3), ("1", 3))
        if world.left() not in tried:
            tried.add(world.left())
            world.rollback(to="1")
            assert (world.production(), len(world.history())) == ("1", 3)
        restore()
        kills += 1
    assert (world.production(), len(world.history())) == ("1", 3)
    assert kills >= 20
    assert len(tried) >= 4


def test_a_rollback_that_was_killed_before_the_alias_moved_is_finished_and_goes_no_further(world: World) -> None:
    for number, dice in enumerate((0.5, 0.6, 0.7)):
        world.promoted(str(number).encode(), dice)
    before_the_alias(world, lambda registry: world.promoter.rollback(registry, by="somebody", reason="nonsense"))
    assert (world.production(), len(world.history())) == ("3", 4)
    assert world.rollback().version.version == "2"
    assert (world.production(), len(world.history())) == ("2", 4)


def test_after_a_promotion_that_was_cut_off_other_challengers_meet_the_new_champion(challenge: Challenge) -> None:
    third = challenge.world.version(b"third")
    challenge.world.judged(third, 0.9, challenge.champion, 0.5)
    cut_off(challenge)
    with pytest.raises(GateError, match="no evidence for version 3 against version 2"):
        challenge.world.promote(third)
    challenge.check_done()


def cut_off(challenge: Challenge) -> None:
    """The challenger's line is written; the process dies before the alias moves."""
    version, world = challenge.challenger.version, challenge.world
    before_the_alias(world, lambda registry: world.promoter.promote(registry, version, "v1", by="tests", reason="yes"))
    assert (world.production(), len(world.history())) == ("1", 2)


def before_the_alias(world: World, work: Callable[..., object]) -> None:
    """Kill `work`, which gets a registry, when it is about to move the first alias."""

    def dies(name: str) -> None:
        if name == "set_registered_model_alias":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(around(world.new_registry(), dies))
