"""A training's history: one row of metrics an epoch, as `history.jsonl` holds it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def best_row(history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the epochs at the last network size, the first with the best validation Dice; among equals (0 at first) the
    one with the lowest loss. Scores at different sizes do not compare."""
    full = [row for row in history if row["size"] == history[-1]["size"]]
    return max(full, key=lambda row: (row["dice"], -row["validation_loss"]))


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Rows of an attempt's `history.jsonl`; none before its first epoch."""
    path = folder / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
