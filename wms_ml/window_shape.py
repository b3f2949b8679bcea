"""The reading window as a shape: its rim, the rectangle around it, and its picture set straight.

Coordinates are pixels of the upright picture, x to the right and y down from the top left corner of the picture: the
pixel in that corner reaches from 0 to 1. Angles are degrees clockwise, as people see them on a screen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image

from wms_ml.predictor import THRESHOLD

TOLERANCE: Final = 0.1
"""How far the simplified rim may lie from the one found, in cells of the network's grid."""

_GRID: Final = 0.1
"""Pixels that coordinates are rounded to."""
_BEYOND: Final = 1e-3
"""Cells by which the field ends outside the picture, so that the rim of what touches the border is closed there."""

Point = tuple[float, float]
"""x and y, pixels."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rotated rectangle.

    Attributes:
        center: where its diagonals cross.
        width: its longer side, pixels.
        height: its shorter side, pixels.
        angle: of its longer side against the horizontal, degrees clockwise, above -90 to 90.
        corners: its four, clockwise, from the one that is the top left when it is turned back by `angle`.
    """

    center: Point
    width: float
    height: float
    angle: float
    corners: tuple[Point, Point, Point, Point]


def shape_of(probabilities: NDArray[np.float32], size: tuple[int, int]) -> tuple[list[Point], Box | None]:
    """The polygon of `polygon_of`, and the box around it when there is one."""
    polygon = polygon_of(probabilities, size)
    return polygon, box_of(polygon) if polygon else None


def polygon_of(probabilities: NDArray[np.float32], size: tuple[int, int]) -> list[Point]:
    """The rim of the largest area in which probabilities reach one half.

    It encloses what the mask marks, but for holes and smaller areas, and is simplified by no more than `TOLERANCE`.

    Args:
        probabilities: float32 (S, S), 0 to 1.
        size: width and height of the upright picture, pixels.

    Returns:
        its corners, clockwise, to a tenth of a pixel, each once, all in the picture; none when there is no area of any
        extent.
    """
    width, height = size
    rows, columns = probabilities.shape
    scale = np.array([width / columns, height / rows])
    found = _largest([shapely.Polygon(rim) for rim in _rims(probabilities) if len(rim) > 3])
    simple = shapely.simplify(found, TOLERANCE)
    own = shapely.transform(simple, lambda corners: corners * scale)
    clipped = shapely.set_precision(shapely.intersection(own, shapely.box(0, 0, width, height)), _GRID)
    # Exterior rings that run clockwise where y grows upwards run anticlockwise on a screen.
    rim = shapely.get_coordinates(_largest([clipped]).exterior)
    clockwise = rim if _signed_area(rim) > 0 else rim[::-1]
    return [(round(float(x), 1), round(float(y), 1)) for x, y in clockwise[:-1]]


def _rims(probabilities: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Outer rims of all areas, in cells from the picture's corner: a cell's value stands at its centre.

    From the outermost centres to the border it stays what it is, as in the stretched mask.
    """
    field = np.pad(np.pad(probabilities, 1, mode="edge"), 1, constant_values=0.0)
    y, x = (np.concatenate([[-_BEYOND, 0], np.arange(n) + 0.5, [n, n + _BEYOND]]) for n in probabilities.shape)
    generator = contourpy.contour_generator(x, y, field, fill_type=contourpy.FillType.OuterOffset)
    points, offsets = generator.filled(THRESHOLD, math.inf)
    return [part[: starts[1]] for part, starts in zip(points, offsets, strict=True) if part is not None]


def _largest(shapes: Sequence[shapely.Geometry]) -> shapely.Polygon:
    """The largest polygon of all that the shapes are made of; an empty one when there is none."""
    parts = shapely.get_parts([shapely.make_valid(shape) for shape in shapes])
    polygons = [part for part in shapely.get_parts(parts) if isinstance(part, shapely.Polygon)]
    return max(polygons, key=lambda polygon: polygon.area, default=shapely.Polygon())


def _signed_area(ring: NDArray[np.float64]) -> float:
    """Twice the area of a closed ring, positive when it runs clockwise on a screen."""
    x, y = ring.T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())


def box_of(polygon: Sequence[Point]) -> Box:
    """The smallest rectangle, however it is turned, around a polygon of three corners or more that has an area."""
    rectangle = shapely.get_coordinates(shapely.minimum_rotated_rectangle(shapely.Polygon(polygon)))
    sides = np.diff(rectangle[:3], axis=0)
    lengths = np.hypot(*sides.T)
    square = math.isclose(lengths[0], lengths[1], rel_tol=1e-6)  # then the side that lies more level is the long one
    longer = np.abs(sides[:, 0]).argmax() if square else lengths.argmax()
    right = sides[longer] / lengths[longer]
    if right[0] < 0 or (math.isclose(right[0], 0, abs_tol=1e-9) and right[1] < 0):
        right = -right
    return _box(rectangle[:4].mean(0), float(lengths.max()), float(lengths.min()), right)


def _box(center: NDArray[np.float64], width: float, height: float, right: NDArray[np.float64]) -> Box:
    across, down = right * width / 2, np.array([-right[1], right[0]]) * height / 2
    corners = (center - across - down, center + across - down, center + across + down, center - across + down)
    angle = math.degrees(math.atan2(right[1], right[0]))
    return Box(_point(center), width, height, angle, tuple(_point(corner) for corner in corners))  # type: ignore[arg-type]


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1])


def straightened(image: Image.Image, box: Box, edge: int = 1024) -> Image.Image:
    """The part of a picture in `box`, turned so that its long side lies level; black where it leaves the picture.

    Args:
        image: the upright picture the box was found in, at its own size.
        box: what to cut out; it is turned back by its angle, never more than a quarter turn.
        edge: longest side of the result, pixels; it is never enlarged.

    Returns:
        a picture of the image's mode, as large as the box, or smaller to fit `edge`.
    """
    (x, y), right, below = box.corners[0], box.corners[1], box.corners[3]
    size = max(1, round(box.width)), max(1, round(box.height))
    across = (right[0] - x) / size[0], (right[1] - y) / size[0]
    down = (below[0] - x) / size[1], (below[1] - y) / size[1]
    steps = (across[0], down[0], x, across[1], down[1], y)
    straight = image.transform(size, Image.Transform.AFFINE, steps, Image.Resampling.BICUBIC)
    straight.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    return straight
