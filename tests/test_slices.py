"""Scores by kind of picture."""

from dataclasses import replace

import pytest

from tests.builders import table
from wms_ml.confidence import estimate
from wms_ml.scoring import PictureScore
from wms_ml.slices import SLICED, SLICINGS, SliceScore, sliced

(ROW,) = table(0.9).rows


def counted(*rows: PictureScore) -> dict[str, int]:
    return {f"{each.measure}: {each.name}": each.pictures for each in sliced(rows) if each.pictures}


@pytest.mark.parametrize(
    ("change", "slice_"),
    [
        ({"brightness": 59.9}, "brightness: dark (below 60)"),
        ({"brightness": 60.0}, "brightness: medium (60 to 120)"),
        ({"brightness": 120.0}, "brightness: bright (from 120)"),
        ({"coverage": 0.0119}, "coverage: small (below 1.2 %)"),
        ({"coverage": 0.012}, "coverage: medium (1.2 to 3.2 %)"),
        ({"coverage": 0.032}, "coverage: large (from 3.2 %)"),
        ({"sharpness": 149.0}, "sharpness: soft (below 150)"),
        ({"sharpness": 150.0}, "sharpness: medium (150 to 500)"),
        ({"sharpness": 500.0}, "sharpness: sharp (from 500)"),
        ({"orientation": 1}, "orientation: upright (1)"),
        ({"orientation": 3}, "orientation: upside down (3)"),
        ({"orientation": 6}, "orientation: turned right (6)"),
        ({"orientation": 8}, "orientation: turned left (8)"),
        ({"orientation": 5}, "orientation: mirrored (2,4,5,7)"),
    ],
)
def test_a_picture_is_in_the_slice_whose_name_describes_it(change: dict[str, float], slice_: str) -> None:
    assert slice_ in counted(replace(ROW, **change))  # type: ignore[arg-type]


def test_every_picture_counts_once_in_each_slicing() -> None:
    rows = [
        replace(ROW, orientation=1 + seed % 8, brightness=seed * 9.0, coverage=seed / 500, sharpness=seed * 30.0)
        for seed in range(25)
    ]
    for slicing in SLICINGS:
        assert sum(each.pictures for each in sliced(rows) if each.measure == slicing.measure) == 25


def test_a_slices_figures_are_those_of_its_pictures_alone() -> None:
    dark = [replace(row, brightness=10.0) for row in table(*[0.5, 0.7] * 6).rows]
    scores = sliced([*dark, *table(0.9).rows])
    (found,) = [each for each in scores if each.name.startswith("dark")]
    assert found.metrics == {name: estimate([getattr(row, name) for row in dark]) for name in SLICED}


def test_kinds_of_pictures_that_were_not_tested_are_named_too() -> None:
    assert SliceScore("orientation", "turned left (8)", 0, {}) in sliced([ROW])
