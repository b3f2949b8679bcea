"""Scores by kind of picture: a good mean may hide that dark pictures are read badly.

The cut points are fixed, so that slices of two models, and of this year's data and next year's, are the same slices.
They lie near the 20th and 80th percentile of the 1,000 pictures of the public Water Meters Dataset, rounded.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wms_ml.confidence import Estimate, estimate
from wms_ml.scoring import PictureScore

SLICED: Final = ("dice", "iou", "hausdorff95")
"""Metrics that are given for slices."""


@dataclass(frozen=True, slots=True)
class Slicing:
    """One way to sort pictures into kinds.

    Attributes:
        measure: what they are sorted by.
        names: the kinds, in the order in which they are shown.
        index: the number of a picture's kind in `names`.
    """

    measure: str
    names: tuple[str, ...]
    index: Callable[[PictureScore], int]


@dataclass(frozen=True, slots=True)
class SliceScore:
    """The scores of one kind of picture.

    Attributes:
        measure: what pictures were sorted by.
        name: the kind.
        pictures: how many there are; 0 is shown as well, for such pictures were not tested then.
        metrics: mean and interval of each metric in `SLICED`; empty without pictures.
    """

    measure: str
    name: str
    pictures: int
    metrics: dict[str, Estimate]


_TURNS: Final = (1, 3, 6, 8)


def _by_orientation(row: PictureScore) -> int:
    return _TURNS.index(row.orientation) if row.orientation in _TURNS else len(_TURNS)


SLICINGS: Final = (
    Slicing(
        "orientation",
        ("upright (1)", "upside down (3)", "turned right (6)", "turned left (8)", "mirrored (2,4,5,7)"),
        _by_orientation,
    ),
    Slicing(
        "brightness",
        ("dark (below 60)", "medium (60 to 120)", "bright (from 120)"),
        lambda row: bisect_right((60, 120), row.brightness),
    ),
    Slicing(
        "coverage",
        ("small (below 1.2 %)", "medium (1.2 to 3.2 %)", "large (from 3.2 %)"),
        lambda row: bisect_right((0.012, 0.032), row.coverage),
    ),
    Slicing(
        "sharpness",
        ("soft (below 150)", "medium (150 to 500)", "sharp (from 500)"),
        lambda row: bisect_right((150, 500), row.sharpness),
    ),
)


LABELS: Final = tuple(f"{slicing.measure}: {name}" for slicing in SLICINGS for name in slicing.names)
"""What people call a slice by, of every slice."""


def sliced(rows: Sequence[PictureScore]) -> list[SliceScore]:
    """Scores of every slice of every slicing; each picture counts once in each slicing."""
    scores = []
    for label, members in grouped(rows).items():
        measure, _, name = label.partition(": ")
        scores.append(_score(measure, name, [rows[index] for index in members]))
    return scores


def grouped(rows: Sequence[PictureScore]) -> dict[str, list[int]]:
    """Where in `rows` the pictures of each slice are, by its label; slices without pictures are there too."""
    groups: dict[str, list[int]] = {label: [] for label in LABELS}
    for slicing in SLICINGS:
        for position, row in enumerate(rows):
            groups[f"{slicing.measure}: {slicing.names[slicing.index(row)]}"].append(position)
    return groups


def _score(measure: str, name: str, rows: Sequence[PictureScore]) -> SliceScore:
    metrics = {metric: estimate([getattr(row, metric) for row in rows]) for metric in SLICED} if rows else {}
    return SliceScore(measure, name, len(rows), metrics)
