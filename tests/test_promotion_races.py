"""Two who promote at once: one wins, the other is told, and the history has one line, on one machine or on two."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.data_world import call_before, end, start
from tests.promotion_world import Challenge, World
from tests.watched_registry import around
from wms_ml.errors import GateError, WmsError
from wms_resources.promotion import Promoter
from wms_resources.registry import ModelVersion, Registry

pytest_plugins = ["tests.promotion_world"]
pytestmark = pytest.mark.slow


def arrives(folder: Path, name: str) -> None:
    """Wait until both are here: each has judged, and is about to push."""
    (folder / f"{name} is here").touch()
    while len(list(folder.glob("* is here"))) < 2:
        time.sleep(0.01)


def runs(world: World, name: str, machine: Promoter, version: ModelVersion) -> None:
    call_before("subprocess.Popen", "--force-with-lease", partial(arrives, world.home, name))
    try:
        machine.promote(world.new_registry(), version.version, "v1", by=name, reason="it is better")
        said = "done"
    except WmsError as error:
        said = f"{type(error).__name__}: {error}"
    (world.home / f"{name} said").write_text(said)


def both(world: World, contestants: dict[str, tuple[str, ModelVersion]]) -> dict[str, str]:
    """What each of two processes said in the end, by name; they push at the same moment."""
    machines = {name: world.machine(clone) for name, (clone, _) in contestants.items()}
    children = [
        start(partial(runs, world, name, machines[name], version)) for name, (_, version) in contestants.items()
    ]
    assert [end(child) for child in children] == [0, 0]
    return {name: (world.home / f"{name} said").read_text() for name in contestants}


@pytest.mark.parametrize("clones", [("machine", "machine"), ("machine", "another machine")])
def test_of_two_challengers_at_once_one_wins_and_the_other_is_refused(
    challenge: Challenge, clones: tuple[str, str]
) -> None:
    world, rival = challenge.world, challenge.world.version(b"rival")
    world.judged(rival, 0.7, challenge.champion, 0.5)
    said = both(world, {"one": (clones[0], challenge.challenger), "two": (clones[1], rival)})
    (winner,) = (name for name, words in said.items() if words == "done")
    (loser,) = said.keys() - {winner}
    assert said[loser].startswith("GateError: version")
    assert "somebody else moved production at this moment" in said[loser]
    won = challenge.challenger if winner == "one" else rival
    assert [line.version for line in world.history()] == [challenge.champion.version, won.version]
    assert world.history()[-1].by == winner
    assert world.promoter.in_production(world.registry).version == won.version


def test_of_two_who_promote_the_same_version_at_once_one_is_written_down(challenge: Challenge) -> None:
    contestants = {name: (f"machine {name}", challenge.challenger) for name in ("one", "two")}
    said = both(challenge.world, contestants)
    assert sorted(words[:9] for words in said.values()) == ["GateError", "done"]
    challenge.check_done()


class Meanwhile:
    """Something that happens once, at a call of MLflow's client."""

    def __init__(self, call: str, happens: Callable[[], object]) -> None:
        self.call, self.happens, self.done = call, happens, False

    def __call__(self, name: str) -> None:
        if name == self.call and not self.done:
            self.done = True
            self.happens()

    def before(self, world: World) -> Registry:
        return around(world.new_registry(), self)

    def after(self, world: World) -> Registry:
        return around(world.new_registry(), lambda _: None, self)


def test_a_champion_that_came_while_the_evidence_was_read_was_not_judged_against(challenge: Challenge) -> None:
    world = challenge.world
    meanwhile = Meanwhile("download_artifacts", lambda: another(challenge))
    with pytest.raises(GateError, match="somebody else moved production"):
        world.promoter.promote(meanwhile.before(world), challenge.challenger.version, "v1", by="me", reason="better")
    assert (world.production(), [line.version for line in world.history()]) == ("3", ["1", "3"])


def test_a_version_that_was_rolled_back_while_the_evidence_was_read_is_not_judged_against(world: World) -> None:
    world.promoted(b"one", 0.5)
    second, third = world.promoted(b"two", 0.6), world.version(b"three")
    world.judged(third, 0.7, second, 0.6)
    meanwhile = Meanwhile("download_artifacts", world.rollback)
    with pytest.raises(GateError, match="somebody else moved production"):
        world.promoter.promote(meanwhile.before(world), third.version, "v1", by="me", reason="better")
    assert (world.production(), [line.version for line in world.history()]) == ("1", ["1", "2", "1"])


def test_who_was_stopped_before_moving_the_alias_does_not_undo_what_came_since(challenge: Challenge) -> None:
    world = challenge.world
    meanwhile = Meanwhile("set_registered_model_alias", lambda: another(challenge))
    world.promoter.promote(meanwhile.before(world), challenge.challenger.version, "v1", by="me", reason="better")
    assert world.production() == "3"
    assert [line.version for line in world.history()] == ["1", "2", "3"]
    assert world.new_registry().holder("previous") == "2"


def test_a_promotion_between_looking_at_alias_and_history_is_no_contradiction(challenge: Challenge) -> None:
    world = challenge.world
    meanwhile = Meanwhile("search_registered_models", lambda: world.promote(challenge.challenger))
    found = world.machine("another machine").in_production(meanwhile.after(world))
    assert found.version == challenge.challenger.version
    challenge.check_done()


def another(challenge: Challenge) -> None:
    """Another machine promotes a third version over whatever is in production."""
    world, elsewhere = challenge.world, challenge.world.machine("another machine")
    champion = elsewhere.in_production(world.new_registry())
    third = world.version(b"third")
    world.judged(third, 0.9, champion, 0.6)
    world.promote(third, elsewhere)
