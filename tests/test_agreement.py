"""Two masks compared: the figures are those of their definitions, written out the slow way here."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from tests.builders import pair
from wms_ml.agreement import hausdorff, score
from wms_ml.errors import DataError

Mask = NDArray[np.bool_]
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


@st.composite
def two_masks(draw: st.DrawFn) -> tuple[Mask, Mask]:
    shape = draw(SHAPES)
    return draw(arrays(np.bool_, shape)), draw(arrays(np.bool_, shape))


def rim(mask: Mask) -> list[tuple[int, int]]:
    marked = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    return [(y, x) for y, x in marked if {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} - marked]


def nearest(points: list[tuple[int, int]], others: list[tuple[int, int]]) -> list[float]:
    return sorted(min(math.dist(point, other) for other in others) for point in points)


def at_rank(rising: list[float], share: float) -> float:
    rank = share * (len(rising) - 1)
    low, high = rising[math.floor(rank)], rising[math.ceil(rank)]
    return low + (high - low) * (rank - math.floor(rank))


@given(two_masks())
def test_hausdorff_distances_are_those_of_the_definition(masks: tuple[Mask, Mask]) -> None:
    one, other = rim(masks[0]), rim(masks[1])
    if one and other:
        ways = [nearest(one, other), nearest(other, one)]
        expected = max(at_rank(way, 0.95) for way in ways), max(way[-1] for way in ways)
    else:
        expected = (math.hypot(*masks[0].shape),) * 2 if one or other else (0.0, 0.0)
    assert hausdorff(*masks) == pytest.approx(expected)


@given(two_masks())
def test_overlap_is_that_of_the_definition(masks: tuple[Mask, Mask]) -> None:
    one, other = ({(int(y), int(x)) for y, x in np.argwhere(mask)} for mask in masks)
    row = score(pair("a"), *masks)
    assert row.dice == pytest.approx(2 * len(one & other) / (len(one) + len(other)) if one | other else 1)
    assert row.iou == pytest.approx(len(one & other) / len(one | other) if one | other else 1)
    assert row.pixel_accuracy == pytest.approx(1 - len(one ^ other) / masks[0].size)
    assert row.found == bool(one)


@given(two_masks())
def test_a_miss_is_farther_away_than_any_mask_can_be(masks: tuple[Mask, Mask]) -> None:
    nothing = np.zeros_like(masks[0])
    if masks[0].any() and masks[1].any():
        assert hausdorff(nothing, masks[0])[0] > hausdorff(*masks)[1]


def test_a_shift_is_as_far_as_it_is_long() -> None:
    mask = np.zeros((200, 300), np.bool_)
    mask[50:90, 40:200] = True
    assert hausdorff(np.roll(mask, (6, 8), (0, 1)), mask)[1] == pytest.approx(10)


def test_a_stray_speck_counts_at_the_maximum_and_not_at_95_percent() -> None:
    truth = np.zeros((200, 300), np.bool_)
    truth[50:90, 40:200] = True
    found = truth.copy()
    found[190, 120] = True
    assert hausdorff(found, truth) == (0.0, 101.0)


def test_a_row_carries_what_kind_of_picture_it_is() -> None:
    of = pair("a")
    row = score(of, np.ones((3, 4), np.bool_), np.ones((3, 4), np.bool_))
    assert (row.pair_id, row.name, row.diagonal) == (of.pair_id, "a", 5.0)
    assert (row.orientation, row.brightness) == (of.orientation, of.brightness)
    assert (row.coverage, row.sharpness) == (of.coverage, of.sharpness)


def test_masks_of_two_sizes_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"masks/a.png has 3 x 2 pixels, images/a.jpg 3 x 3"):
        score(pair("a"), np.ones((3, 3), np.bool_), np.ones((2, 3), np.bool_))
