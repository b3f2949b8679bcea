"""How far a training has come in its budget, and the learning rate that goes with it."""

import math
from collections.abc import Sequence
from typing import Any, Final

from wms_ml.recipe import Recipe

_WARM_UP: Final = 0.03
_PLATEAU: Final = 2
"""Epochs without improvement after which the learning rate is halved."""


def progress(recipe: Recipe, history: Sequence[dict[str, Any]]) -> float:
    """Share of the budget, in epochs or minutes, that is spent after these epochs; 1 or more when it is used up."""
    return max(len(history) / recipe.epochs, _minutes_share(recipe, sum(row["seconds"] for row in history)))


def seconds_left(recipe: Recipe, history: Sequence[dict[str, Any]]) -> float:
    """Seconds until the budget is used up, if a pixel goes on costing what it did in the last epoch."""
    pixel = history[-1]["seconds"] / history[-1]["size"] ** 2
    ahead = sum(pixel * recipe.size_at(epoch / recipe.epochs) ** 2 for epoch in range(len(history), recipe.epochs))
    if not recipe.minutes:
        return ahead
    return max(0.0, min(ahead, 60 * recipe.minutes - sum(row["seconds"] for row in history)))


def learning_rate(recipe: Recipe, history: Sequence[dict[str, Any]], part: float) -> float:
    """Learning rate when `part` (0 to 1) of the epoch after `history` is done."""
    if recipe.schedule == "plateau":
        return recipe.learning_rate * 0.5 ** _plateaus(history)
    last = history[-1]["seconds"] if history else 0.0
    step = max(1 / recipe.epochs, _minutes_share(recipe, last))
    spent = min(1.0, progress(recipe, history) + part * step)
    if spent < _WARM_UP:
        return recipe.learning_rate * (spent + 0.1 * _WARM_UP) / (1.1 * _WARM_UP)
    return recipe.learning_rate * (1 + math.cos(math.pi * (spent - _WARM_UP) / (1 - _WARM_UP))) / 2


def _minutes_share(recipe: Recipe, seconds: float) -> float:
    return seconds / (60 * recipe.minutes) if recipe.minutes else 0.0


def _plateaus(history: Sequence[dict[str, Any]]) -> int:
    """How often validation Dice did not rise for more than `_PLATEAU` epochs at one size."""
    count = waited = 0
    best, size = -1.0, None
    for row in history:
        if row["size"] != size:
            best, size, waited = -1.0, row["size"], 0
        waited = 0 if row["dice"] > best else waited + 1
        best = max(best, row["dice"])
        if waited > _PLATEAU:
            count, waited = count + 1, 0
    return count
