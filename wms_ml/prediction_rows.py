"""What is remembered of a prediction, and reading it back: serving writes these rows, monitoring reads them.

A row is one line of JSON in `predictions-YYYY-MM-DD.jsonl`, the day in UTC. No picture's name is in it.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wms_ml.errors import SettingsError
from wms_ml.quality.shape import read


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a prediction once it is made.

    Attributes:
        time: ISO 8601, UTC, with milliseconds and offset.
        request_id: of the request that asked; 1 to 64 of A-Z a-z 0-9 . _ -
        model_version: in the registry.
        width: pixels of the upright picture as it was sent.
        height: pixels of the upright picture as it was sent.
        orientation: EXIF orientation as stored, 1 to 8.
        found: whether a reading window was found.
        confidence: mean probability inside the mask, 0.5 to 1; 0 when nothing was found.
        coverage: share of the picture inside the mask, 0 to 1.
        milliseconds: work on the picture, without waiting for its turn.
    """

    time: str = field(default_factory=_now)
    request_id: str
    model_version: str
    width: int
    height: int
    orientation: int
    found: bool
    confidence: float
    coverage: float
    milliseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Facts):
    """A row: the facts, and what the picture looks like, measured as `Measures` are.

    Attributes:
        brightness: mean grey value, 0 to 255.
        contrast: standard deviation of the grey values, 0 to 127.5.
        sharpness: variance of the Laplacian of the grey values at 512 pixels on the longer side.
        picture: where the picture was kept, a path below the folder; empty when it was not.
    """

    brightness: float
    contrast: float
    sharpness: float
    picture: str

    def line(self) -> bytes:
        """One whole line, ASCII, its end included.

        Raises:
            ValueError: a figure is not finite.
        """
        return json.dumps(asdict(self), allow_nan=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was read.

    Attributes:
        rows: fields of `Entry` by name, in the order of the files; `time` is an aware datetime here.
        unreadable: a sentence for each line that is no row: file, line and why.
    """

    rows: list[dict[str, Any]]
    unreadable: list[str]


def file_of(folder: Path, time: str) -> Path:
    """The file in `folder` that holds the row of this time (ISO 8601, UTC)."""
    return folder / f"predictions-{time[:10]}.jsonl"


def read_predictions(folder: Path, since: datetime) -> Predictions:
    """Every row in `folder` of the time `since` (aware) or later. A line that is no row harms no other.

    Raises:
        SettingsError: `folder` is missing, or it or a file in it cannot be read.
    """
    found = Predictions([], [])
    first = file_of(folder, since.astimezone(UTC).isoformat()).name
    try:
        files = sorted(path for path in folder.iterdir() if path.match("predictions-????-??-??.jsonl"))
        for path in files:
            if path.name >= first:
                _read_file(path, since, found)
    except OSError as error:
        raise SettingsError(
            f"the predictions in {folder} cannot be read ({error.strerror}): "
            "WMS_SERVING_PREDICTION_LOG names the folder that the service writes"
        ) from error
    return found


def _read_file(path: Path, since: datetime, found: Predictions) -> None:
    for number, line in _lines(path):
        try:
            row = asdict(read(Entry, json.loads(line), "row"))
            row["time"] = datetime.fromisoformat(row["time"])
            if row["time"] >= since:
                found.rows.append(row)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            found.unreadable.append(f"{path.name}, line {number}: {str(error)[:200]}")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        yield from ((number, line) for number, line in enumerate(file, 1) if line != b"\n")
