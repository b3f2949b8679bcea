"""Promotion as it should go: what moves, what is written down, and the way back."""

import json
import subprocess

import pytest

from tests.promotion_world import CODE, World
from wms_ml.errors import DataRepoError, GateError, NoProductionModelError, RegistryError
from wms_resources import data_commits

pytest_plugins = ["tests.promotion_world"]


def on_branch(world: World, name: str) -> str:
    command = ["git", f"--git-dir={world.origin}", "show", f"production:{name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_first_model_that_finds_something_is_promoted(world: World) -> None:
    first = world.version(b"one")
    world.judged(first, 0.5, None)
    assert world.promote(first).replaced is None
    assert world.production() == first.version


def test_a_better_model_replaces_the_champion_which_stays_reachable(world: World) -> None:
    first, second = world.promoted(b"one", 0.5), world.promoted(b"two", 0.6)
    assert world.production() == second.version
    assert world.registry.get("previous").version == first.version


def test_a_model_that_is_not_better_is_refused(world: World) -> None:
    first, second = world.promoted(b"one", 0.5), world.version(b"two")
    before = world.state()
    world.judged(second, 0.5, first, 0.5)
    with pytest.raises(GateError, match="not better"):
        world.promote(second)
    assert world.state() == before


def test_the_rule_is_that_of_the_settings(world: World) -> None:
    first, second = world.promoted(b"one", 0.5), world.version(b"two")
    world.judged(second, 0.6, first, 0.5)
    strict = world.machine("machine").model_copy(update={"rule": {"minimum_gain": 0.2}})
    with pytest.raises(GateError, match=r"by more than 0\.2"):
        world.promote(second, strict)
    assert world.promote(second).version.version == second.version


def test_promoting_the_champion_again_changes_nothing_and_adds_no_line(world: World) -> None:
    first = world.promoted(b"one", 0.5)
    again = world.promote(first)
    assert (again.version.version, again.verdict, again.line) == (first.version, None, None)
    assert world.production() == first.version
    assert len(world.history()) == 1
    assert world.registry.holder("previous") is None


def test_a_promotion_is_written_down_with_who_why_and_both_models(world: World) -> None:
    first, second = world.promoted(b"one", 0.5), world.promoted(b"two", 0.6)
    _, line = world.history()
    assert (line.by, line.action, line.reason) == ("tests", "promote", "it is better")
    assert (line.version, line.digest, line.data_version) == (second.version, second.digest, "v1")
    assert (line.replaced, line.replaced_digest) == (first.version, first.digest)
    assert line.verdict == "Dice and IoU are both better than production's on the same pictures"
    assert line.metrics["dice"] == pytest.approx(0.6)
    assert line.replaced_metrics == {"dice": pytest.approx(0.5), "iou": pytest.approx(0.5 / 1.5)}
    assert line.differences == {"dice": pytest.approx(0.1), "iou": pytest.approx(0.6 / 1.4 - 0.5 / 1.5)}
    assert world.registry.evidence(world.registry.get(second.version), first, "v1").digest == line.evidence


def test_the_data_repository_says_what_is_in_production_and_what_that_is(world: World) -> None:
    world.promoted(b"one", 0.5)
    second = world.promoted(b"two", 0.6)
    lines = on_branch(world, "production_history.jsonl").splitlines()
    assert [json.loads(line)["version"] for line in lines] == ["1", "2"]
    assert json.loads(on_branch(world, "production_current.json")) == json.loads(lines[-1])
    assert json.loads(on_branch(world, "model-metadata.json")) == {
        "name": "m",
        "version": "2",
        "digest": second.digest,
        "run_id": second.run_id,
        "data_version": "v1",
        "encoder": "resnet18",
        "seed": "0",
        "code_version": CODE,
    }


def test_a_rollback_puts_back_what_was_there_before_and_says_who_and_why(world: World) -> None:
    first, second = world.promoted(b"one", 0.5), world.promoted(b"two", 0.6)
    done = world.rollback()
    assert done.line == world.history()[-1]
    assert (done.version.version, done.replaced and done.replaced.version) == (first.version, second.version)
    assert (world.production(), world.registry.holder("previous")) == (first.version, second.version)
    line = world.history()[-1]
    assert (line.action, line.by, line.reason) == ("rollback", "somebody", "it draws nonsense")
    assert (line.version, line.replaced, line.evidence) == (first.version, second.version, None)
    assert line.metrics["dice"] == pytest.approx(0.5)


def test_rolling_back_twice_goes_back_twice_and_then_no_further(world: World) -> None:
    for number, dice in enumerate((0.5, 0.6, 0.7)):
        world.promoted(str(number).encode(), dice)
    assert [world.rollback().version.version for _ in range(2)] == ["2", "1"]
    with pytest.raises(GateError, match="nothing to roll back to"):
        world.rollback()


def test_a_rollback_may_name_any_version_that_was_in_production(world: World) -> None:
    for number, dice in enumerate((0.5, 0.6, 0.7)):
        world.promoted(str(number).encode(), dice)
    assert world.rollback(to="1").version.version == "1"
    assert world.rollback(to="3").version.version == "3"
    assert [line.version for line in world.history()] == ["1", "2", "3", "1", "3"]


def test_a_rollback_to_what_was_never_in_production_is_refused(world: World) -> None:
    world.promoted(b"one", 0.5)
    second = world.version(b"two")
    before = world.state()
    with pytest.raises(GateError, match="never in production"):
        world.rollback(to=second.version)
    assert world.state() == before


@pytest.mark.parametrize(("by", "reason"), [("somebody", " "), ("", "a reason")])
def test_production_moves_only_with_a_name_and_a_reason(world: World, by: str, reason: str) -> None:
    world.promoted(b"one", 0.5)
    second = world.version(b"two")
    world.judged(second, 0.6, world.registry.get("1"), 0.5)
    before = world.state()
    with pytest.raises(GateError, match="--reason"):
        world.promoter.promote(world.registry, second.version, "v1", by=by, reason=reason)
    with pytest.raises(GateError, match="--reason"):
        world.promoter.rollback(world.registry, by=by, reason=reason, to="1")
    assert world.state() == before


def test_what_a_person_rolled_back_from_comes_back_only_by_a_person(world: World) -> None:
    world.promoted(b"one", 0.5)
    second = world.promoted(b"two", 0.6)
    world.rollback()
    before = world.state()
    with pytest.raises(GateError, match=r"somebody rolled back from it at .* \(it draws nonsense\)"):
        world.promote(second)
    assert world.state() == before
    assert world.rollback(to=second.version).version.version == second.version


def test_what_is_in_production_is_known_by_registry_and_history(world: World) -> None:
    with pytest.raises(NoProductionModelError, match="wms drop"):
        world.promoter.in_production(world.registry)
    first = world.promoted(b"one", 0.5)
    assert world.promoter.in_production(world.registry).version == first.version


@pytest.mark.parametrize("content", ["", "{}\n", "not json\n"])
def test_a_damaged_history_is_never_read_as_an_empty_one(world: World, content: str) -> None:
    world.promoted(b"one", 0.5)
    branch = world.promoter.data_repo.branch("production")
    commit, _ = branch.read()
    branch.write({"production_history.jsonl": content.encode()}, "by hand", replacing=commit)
    with pytest.raises(DataRepoError, match=r"production_history\.jsonl .* is damaged"):
        world.promoter.in_production(world.registry)


def test_promotions_are_no_data_versions(world: World) -> None:
    world.promoted(b"one", 0.5)
    assert world.promoter.data_repo.accepted() is None
    assert list(data_commits.history(world.promoter.data_repo.branch("production").git)) == []


def test_a_refused_promotion_names_the_version(world: World) -> None:
    with pytest.raises(RegistryError, match="'17'"):
        world.promoter.promote(world.registry, "17", "v1", by="tests", reason="why not")
    assert world.history() == []
