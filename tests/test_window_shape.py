"""The shape of a reading window: the rim agrees with the mask, the box is exact, the cut-out stands upright."""

import math

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wms_ml.arrays import BoolMask
from wms_ml.predictor import prediction_of
from wms_ml.window_shape import Box, Point, box_of, polygon_of, straightened

CELLS = 64
SIZE = (300, 400)


def rectangle(center: Point, width: float, height: float, angle: float) -> list[Point]:
    """Corners from the top left one of the rectangle before it was turned, clockwise."""
    turn = math.radians(angle)
    across, down = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    ends = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [
        (
            center[0] + (a * width * across[0] + b * height * down[0]) / 2,
            center[1] + (a * width * across[1] + b * height * down[1]) / 2,
        )
        for a, b in ends
    ]


def field(polygon: list[Point], cells: int = CELLS) -> NDArray[np.float32]:
    """Probabilities that a network would give for a polygon in unit coordinates: the covered share of each cell."""
    drawn = Image.new("L", (cells * 8, cells * 8))
    ImageDraw.Draw(drawn).polygon([(x * cells * 8, y * cells * 8) for x, y in polygon], fill=255)
    return np.asarray(drawn.resize((cells, cells), Image.Resampling.BOX), np.float32) / 255


def filled(polygon: list[Point], size: tuple[int, int]) -> BoolMask:
    """The pixels whose centres lie in a polygon."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    inside: BoolMask = shapely.contains_xy(shapely.Polygon(polygon), x, y)
    return inside


def agreement(polygon: list[Point], mask: BoolMask) -> float:
    drawn = filled(polygon, mask.shape[::-1])
    return float((drawn & mask).sum() / (drawn | mask).sum())


def is_clockwise(polygon: list[Point]) -> bool:
    following = [*polygon[1:], polygon[0]]
    return sum(x * v - u * y for (x, y), (u, v) in zip(polygon, following, strict=True)) > 0


def blank() -> NDArray[np.float32]:
    return np.full((CELLS, CELLS), 0.01, np.float32)


@pytest.mark.parametrize("angle", range(-85, 91, 25))
@pytest.mark.parametrize("size", [(600, 800), (800, 600), (1000, 1333)])
def test_the_polygon_covers_what_the_mask_marks_in_every_orientation(angle: int, size: tuple[int, int]) -> None:
    probabilities = field(rectangle((0.457, 0.606), 0.4, 0.15, angle), cells=128)
    polygon = polygon_of(probabilities, size)
    assert agreement(polygon, prediction_of(probabilities, size).mask) >= 0.98
    assert is_clockwise(polygon)


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom", "all"])
def test_what_touches_the_border_is_closed_there(side: str) -> None:
    probabilities = blank()
    rows, columns = {
        "left": (slice(20, 40), slice(0, 15)),
        "top": (slice(0, 15), slice(20, 40)),
        "right": (slice(20, 40), slice(50, 64)),
        "bottom": (slice(50, 64), slice(20, 40)),
        "all": (slice(0, 64), slice(0, 64)),
    }[side]
    probabilities[rows, columns] = 0.98
    polygon = polygon_of(probabilities, SIZE)
    left, top, right, bottom = shapely.Polygon(polygon).bounds
    reached = {"left": left == 0, "top": top == 0, "right": right == SIZE[0], "bottom": bottom == SIZE[1]}
    assert [name for name, there in reached.items() if there] == (list(reached) if side == "all" else [side])
    assert agreement(polygon, prediction_of(probabilities, SIZE).mask) >= 0.98


def test_everything_is_the_picture_itself() -> None:
    polygon = polygon_of(np.ones((CELLS, CELLS), np.float32), SIZE)
    assert set(polygon) == {(0, 0), (300, 0), (300, 400), (0, 400)}
    assert box_of(polygon) == Box((150, 200), 400, 300, 90, ((300, 0), (300, 400), (0, 400), (0, 0)))


def test_of_two_areas_the_larger_counts() -> None:
    probabilities = blank()
    probabilities[5:10, 5:10] = 0.99
    probabilities[30:40, 20:60] = 0.6
    assert shapely.Polygon(polygon_of(probabilities, SIZE)).bounds[1] > 150


def test_a_hole_does_not_count() -> None:
    probabilities = blank()
    probabilities[20:50, 10:50] = 0.99
    solid = polygon_of(probabilities, SIZE)
    probabilities[30:34, 20:24] = 0.0
    assert polygon_of(probabilities, SIZE) == solid


@pytest.mark.parametrize("kind", ["a cell", "a row of cells", "a column at the border"])
def test_the_smallest_findings_have_a_shape(kind: str) -> None:
    probabilities = blank()
    at = {"a cell": (30, 31), "a row of cells": (30, slice(10, 50)), "a column at the border": (slice(10, 50), 63)}
    probabilities[at[kind]] = 0.9
    polygon = polygon_of(probabilities, SIZE)
    assert shapely.Polygon(polygon).is_valid
    assert agreement(polygon, prediction_of(probabilities, SIZE).mask) > 0.8
    box = box_of(polygon)
    assert box.width >= box.height > 0


def test_areas_that_touch_in_a_point_give_a_sound_polygon() -> None:
    probabilities = blank()
    probabilities[20:30, 20:30] = probabilities[30:40, 30:40] = 1.0
    probabilities[20:30, 30:40] = probabilities[30:40, 20:30] = 0.0
    assert shapely.Polygon(polygon_of(probabilities, SIZE)).is_valid


@pytest.mark.parametrize("value", [0.0, 0.49, 0.5])
def test_where_nothing_of_any_extent_was_found_there_is_no_polygon(value: float) -> None:
    probabilities = np.zeros((CELLS, CELLS), np.float32)
    probabilities[30, 30] = value
    assert polygon_of(probabilities, SIZE) == []


@pytest.mark.parametrize("angle", [-89.0, -60.0, -45.0, -20.0, 0.0, 10.0, 45.0, 75.0, 90.0])
@pytest.mark.parametrize("first", range(4))
def test_the_box_of_a_rectangle_is_the_rectangle(angle: float, first: int) -> None:
    corners = rectangle((120, 150), 80, 20, angle)
    box = box_of(corners[first:] + corners[:first])
    assert (box.width, box.height, box.angle) == pytest.approx((80, 20, angle), abs=1e-6)
    assert np.allclose(box.center, (120, 150))
    assert np.allclose(box.corners, corners)


def test_the_box_of_a_square_lies_as_level_as_it_can() -> None:
    assert box_of(rectangle((50, 50), 20, 20, 80)).angle == pytest.approx(-10)
    assert box_of(rectangle((50, 50), 20, 20, 0)).angle == pytest.approx(0)


def window(angle: float) -> tuple[Image.Image, Box]:
    """A picture with a turned window: its left third red, its lower half else blue, the rest green."""
    picture = Image.new("RGB", (600, 600))
    draw = ImageDraw.Draw(picture)
    box = box_of(rectangle((300, 280), 300, 100, angle))
    (x, y), right, _, below = box.corners
    across, down = (right[0] - x, right[1] - y), (below[0] - x, below[1] - y)
    for colour, (u, v, w, h) in (("green", (0, 0, 1, 1)), ("blue", (0, 0.5, 1, 1)), ("red", (0, 0, 1 / 3, 1))):
        ends = ((u, v), (w, v), (w, h), (u, h))
        draw.polygon([(x + a * across[0] + b * down[0], y + a * across[1] + b * down[1]) for a, b in ends], colour)
    return picture, box


@pytest.mark.parametrize("angle", [-80, -45, -10, 0, 30, 90])
def test_the_cut_out_is_the_window_turned_level(angle: float) -> None:
    straight = straightened(*window(angle))
    assert straight.size == (300, 100)
    pixels = np.asarray(straight)
    assert pixels[4:-4, 4:94].mean((0, 1)) == pytest.approx((255, 0, 0), abs=3)
    assert pixels[4:46, 106:-4].mean((0, 1)) == pytest.approx((0, 128, 0), abs=3)
    assert pixels[54:-4, 106:-4].mean((0, 1)) == pytest.approx((0, 0, 255), abs=3)


def test_a_level_cut_out_at_whole_pixels_is_the_pixels_themselves() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8))
    cut = straightened(picture, box_of([(10, 5), (40, 5), (40, 25), (10, 25)]))
    assert np.array_equal(np.asarray(cut), np.asarray(picture.crop((10, 5, 40, 25))))


def test_a_large_cut_out_is_shrunk_to_the_edge_and_a_small_one_is_not_enlarged() -> None:
    picture, box = window(20)
    assert straightened(picture, box, edge=150).size == (150, 50)
    assert straightened(picture, box, edge=5000).size == (300, 100)


def test_a_box_that_leaves_the_picture_is_filled_up_with_black() -> None:
    picture = Image.new("RGB", (100, 100), "white")
    cut = np.asarray(straightened(picture, box_of(rectangle((50, 50), 140, 20, 0))))
    assert cut.shape == (20, 140, 3)
    assert cut[:, :19].max() == 0
    assert cut[:, 21:119].min() == 255
