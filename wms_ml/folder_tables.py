"""What was found in a folder, for other programs: CSV with a row a picture, and JSON lines, which have the polygons.

Rows pass through one by one: a hundred thousand pictures cost no more memory than one.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final, TextIO

from wms_ml.folder_results import Row

CSV: Final = "results.csv"
JSON_LINES: Final = "results.jsonl"

COLUMNS: Final = (
    *("picture", "width", "height", "found", "confidence", "coverage"),
    *("box_x", "box_y", "box_width", "box_height", "box_angle"),
    *("mask", "overlay", "crop", "error", "message", "model_version", "model_digest", "sha256"),
)
"""Columns of the CSV. The box is given by its centre, its longer and shorter side, and the angle of the longer one."""


class Tables:
    """Both tables, written side by side as rows come; the files' newlines must be left alone (`newline=""`)."""

    def __init__(self, table: TextIO, lines: TextIO) -> None:
        self._csv = csv.DictWriter(table, COLUMNS, extrasaction="ignore", lineterminator="\n")
        self._csv.writeheader()
        self._lines = lines

    def write(self, row: Row) -> None:
        """Add a row to both."""
        values = asdict(row)
        self._lines.write(json.dumps(values) + "\n")
        self._csv.writerow({**values, **_flat(row.box)})


def as_array(lines: Iterable[str]) -> Iterator[str]:
    """JSON lines as the text of one JSON array, piece by piece."""
    before = "[\n"
    for line in lines:
        yield before + line.rstrip("\n")
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def _flat(box: dict[str, Any] | None) -> dict[str, float]:
    if box is None:
        return {}
    x, y = box["center"]
    return {"box_x": x, "box_y": y, **{f"box_{name}": box[name] for name in ("width", "height", "angle")}}
