"""What the prediction log is fed with, and what is read back from it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wms_ml.prediction_rows import Facts, file_of, read_predictions

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def facts(**instead: Any) -> Facts:
    known: dict[str, Any] = {
        "request_id": "abc-1",
        "model_version": "7",
        "width": 60,
        "height": 80,
        "orientation": 6,
        "found": True,
        "confidence": 0.93,
        "coverage": 0.02,
        "milliseconds": 210.5,
    }
    return Facts(**known | instead)


def noise(width: int = 60, height: int = 80) -> Image.Image:
    """A picture whose every figure is its own."""
    values = np.random.default_rng(width).integers(20, 90, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height))


def rows(folder: Path) -> list[dict[str, Any]]:
    found = read_predictions(folder, LONG_AGO)
    assert found.unreadable == []
    return found.rows


def today(folder: Path) -> Path:
    return file_of(folder, datetime.now(UTC).isoformat())
