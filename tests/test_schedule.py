"""Budgets in epochs and minutes, and the learning rate on the way through them."""

from typing import Any

import pytest

from wms_ml.history import best_row
from wms_ml.recipe import Recipe
from wms_ml.schedule import learning_rate, progress, seconds_left


def epochs(*scores: float, seconds: float = 60.0, size: int = 64) -> list[dict[str, Any]]:
    return [
        {"epoch": number, "dice": dice, "validation_loss": 1.0, "seconds": seconds, "size": size}
        for number, dice in enumerate(scores, 1)
    ]


def test_a_budget_is_spent_by_whichever_ends_first() -> None:
    assert progress(Recipe(epochs=10), epochs(0.1, 0.2)) == pytest.approx(0.2)
    assert progress(Recipe(epochs=10, minutes=4), epochs(0.1, 0.2)) == pytest.approx(0.5)
    assert progress(Recipe(epochs=10, minutes=2), epochs(0.1, 0.2)) >= 1


def test_the_time_left_counts_the_larger_pictures_to_come() -> None:
    recipe = Recipe(epochs=4, start_scale=0.5, size=64, start_share=0.5)
    assert seconds_left(recipe, epochs(0.1, seconds=10, size=32)) == pytest.approx(10 + 40 + 40)
    assert seconds_left(recipe, epochs(*[0.1] * 3, seconds=40)) == pytest.approx(40)
    assert seconds_left(Recipe(epochs=100, minutes=2), epochs(0.1, 0.2)) == 0
    assert seconds_left(Recipe(epochs=100, minutes=3), epochs(0.1, 0.2)) == pytest.approx(60)


def test_cosine_rises_then_falls_to_nothing() -> None:
    recipe = Recipe(epochs=100, schedule="cosine", learning_rate=0.01)
    rates = [learning_rate(recipe, epochs(*[0.5] * done), part) for done in range(100) for part in (0.0, 0.5)]
    highest = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.01, rel=0.01)
    assert rates[: highest + 1] == sorted(rates[: highest + 1])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[-1] < 0.01 * 0.001


def test_cosine_follows_the_clock_when_time_is_the_budget() -> None:
    recipe = Recipe(epochs=1000, minutes=10, schedule="cosine", learning_rate=0.01)
    assert learning_rate(recipe, epochs(*[0.5] * 9), 1.0) < 0.0001


def test_a_plateau_halves_the_rate_and_a_rise_does_not() -> None:
    recipe = Recipe(schedule="plateau", learning_rate=0.01)
    assert learning_rate(recipe, epochs(0.1, 0.2, 0.3, 0.4, 0.5), 0) == 0.01
    assert learning_rate(recipe, epochs(0.5, 0.4, 0.4), 0) == 0.01
    assert learning_rate(recipe, epochs(0.5, 0.4, 0.4, 0.4), 0) == 0.005
    assert learning_rate(recipe, epochs(0.5, *[0.4] * 6), 0) == 0.0025


def test_scores_at_a_smaller_size_are_not_compared() -> None:
    history = [*epochs(0.9, 0.95, size=32), *epochs(0.5, 0.6, 0.4)]
    assert best_row(history)["dice"] == 0.6
    recipe = Recipe(schedule="plateau", learning_rate=0.01)
    assert learning_rate(recipe, history, 0) == 0.01


def test_small_pictures_come_first() -> None:
    recipe = Recipe(size=256, start_scale=0.5, start_share=0.5)
    assert [recipe.size_at(part) for part in (0, 0.49, 0.5, 0.99)] == [128, 128, 256, 256]
    assert Recipe(size=256, start_scale=1.0).sizes == {256}
    assert Recipe(size=64, epochs=1).sizes == {64}
    three = Recipe(size=64, epochs=3, start_share=0.95)
    assert [three.size_at(epoch / 3) for epoch in range(3)] == [32, 32, 64]
    assert Recipe(size=96, start_scale=0.5, start_share=0.5).sizes == {64, 96}
    assert Recipe(size=32, start_scale=0.5, start_share=0.5).sizes == {32}
