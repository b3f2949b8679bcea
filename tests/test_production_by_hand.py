"""Registry and history contradict each other: nothing is promoted or served until a recorded rollback puts it right."""

import pytest

from tests.promotion_world import World
from wms_ml.errors import GateError

pytest_plugins = ["tests.promotion_world"]


def test_an_alias_that_was_moved_by_hand_stops_everything_until_a_rollback_puts_it_right(world: World) -> None:
    first, stray = world.promoted(b"one", 0.5), world.version(b"two")
    world.judged(stray, 0.6, first, 0.5)
    world.move_by_hand(stray)
    both = rf"version {stray.version} carries .* version {first.version} was put .* rollback --to {first.version} "
    for refused in (
        lambda: world.promoter.in_production(world.registry),
        lambda: world.promote(stray),
        lambda: world.rollback(),
    ):
        with pytest.raises(GateError, match=both):
            refused()
    assert (world.production(), len(world.history())) == (stray.version, 1)
    world.rollback(to=first.version)
    assert world.promoter.in_production(world.registry).version == first.version
    assert (world.history()[-1].replaced, world.history()[-1].replaced_digest) == (stray.version, None)
    assert world.registry.holder("previous") is None
    assert world.promote(stray).version.version == stray.version  # it was judged, and never rolled back from


def test_where_somebody_moved_the_alias_by_hand_a_rollback_can_make_it_official(world: World) -> None:
    for number, dice in enumerate((0.5, 0.6, 0.7)):
        world.promoted(str(number).encode(), dice)
    world.move_by_hand(world.registry.get("1"))
    with pytest.raises(GateError, match="somebody moved the alias by hand"):
        world.promoter.in_production(world.registry)
    world.rollback(to="1")
    assert world.promoter.in_production(world.registry).version == "1"
    assert (world.history()[-1].version, world.history()[-1].replaced) == ("1", "3")


def test_an_alias_that_somebody_moved_back_by_one_is_put_right_since_it_looks_like_a_move_that_was_cut_off(
    world: World,
) -> None:
    first, second = world.promoted(b"one", 0.5), world.promoted(b"two", 0.6)
    world.move_by_hand(first)
    assert world.promoter.in_production(world.registry).version == second.version
    assert world.production() == second.version


def test_an_alias_that_was_removed_by_hand_is_no_empty_production(world: World) -> None:
    first, second = world.promoted(b"one", 0.5), world.version(b"two")
    world.judged(second, 0.1, None)
    world.registry.client.delete_registered_model_alias("m", "production")
    # the line that put the first model there replaced nothing, so this looks like a promotion that was cut off
    assert world.promoter.in_production(world.registry).version == first.version
    third = world.promoted(b"three", 0.6)
    world.registry.client.delete_registered_model_alias("m", "production")
    with pytest.raises(GateError, match=f"no version carries .* version {third.version} was put there last"):
        world.promote(second)
    assert world.production() is None
    world.rollback(to=third.version)
    assert world.production() == third.version


def test_an_alias_that_no_history_knows_is_not_served(world: World) -> None:
    stray = world.version(b"one")
    world.judged(stray, 0.6, None)
    world.move_by_hand(stray)
    with pytest.raises(GateError, match="no record that it was ever promoted"):
        world.promoter.in_production(world.registry)
    with pytest.raises(GateError, match="no record that it was ever promoted"):
        world.promote(world.version(b"two"))
    assert world.history() == []


def test_another_model_under_the_promoted_number_is_not_served(world: World) -> None:
    first = world.promoted(b"one", 0.5)
    world.registry.note(first.version, {"digest": "sha256:" + "0" * 64})
    with pytest.raises(GateError, match="is not the model that was in production"):
        world.promoter.in_production(world.registry)


def test_a_registry_that_was_made_anew_is_not_empty_production(world: World, blank_mlflow: bytes) -> None:
    world.promoted(b"one", 0.5)
    world.promoted(b"two", 0.6)
    world.database.write_bytes(blank_mlflow)
    with pytest.raises(GateError, match="no version carries"):
        world.promoter.in_production(world.new_registry())
    assert len(world.history()) == 2
