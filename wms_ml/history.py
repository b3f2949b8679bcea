"""A training's history: one row of metrics an epoch, as `history.jsonl` holds it."""

import json
from pathlib import Path
from typing import Any


def best_row(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The first epoch with the best validation Dice; among equals (0 at first) the one with the lowest loss."""
    return max(history, key=lambda row: (row["dice"], -row["validation_loss"]))


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Rows of an attempt's `history.jsonl`; none before its first epoch."""
    path = folder / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
