"""The pinhole camera that looks at an invented water meter.

Everything is projected by the same camera, so the mask of the reading window is computed and not traced.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wms_ml.sample_counter import Window

Points = NDArray[np.float64]
"""Float64 (n, 2) or (n, 3): pixels, or dial radii in the meter's frame: x right, y down, z away from us."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera.

    Attributes:
        rotation: float64 (3, 3), from the meter's frame to the camera's.
        distance: from the lens to the middle of the dial, in dial radii.
        focal: pixels.
        centre: (x, y) in pixels, where the middle of the dial lands.
    """

    rotation: Points
    distance: float
    focal: float
    centre: tuple[float, float]

    @property
    def radius(self) -> float:
        """The dial's radius in pixels, were it seen head-on."""
        return self.focal / self.distance

    def shrunk(self, factor: float) -> "Camera":
        """The same view in a picture smaller by `factor`."""
        x, y = self.centre
        return Camera(self.rotation, self.distance, self.focal / factor, (x / factor, y / factor))

    def project(self, points: Points) -> Points:
        """Pixels (n, 2) of points (n, 2) on the dial's plane or (n, 3) in space."""
        turned = points @ self.rotation[:, : points.shape[1]].T
        depth = np.maximum(turned[:, 2:] + self.distance, 0.2)
        seen: Points = turned[:, :2] * (self.focal / depth) + np.array(self.centre)
        return seen

    def homography(self) -> Points:
        """Float64 (3, 3): the dial's plane, in dial radii, to pixels."""
        lens = np.array([[self.focal, 0, self.centre[0]], [0, self.focal, self.centre[1]], [0, 0, 1]])
        plane = np.column_stack([self.rotation[:, 0], self.rotation[:, 1], (0, 0, self.distance)])
        product: Points = lens @ plane
        return product

    def box(self, points: Points, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels around projected points, cut to a picture (width, height)."""
        seen = self.project(points)
        left, top = np.clip(np.floor(seen.min(axis=0)), 0, size).astype(int).tolist()
        right, bottom = np.clip(np.ceil(seen.max(axis=0)), 0, size).astype(int).tolist()
        return left, top, right, bottom


def aim(rng: np.random.Generator, window: Window, size: tuple[int, int]) -> Camera:
    """A camera that sees the whole reading window, as large as people photograph it.

    The window covers 0.6 to 6.5 % of the picture (width, height), half of the time less than 2.4 %; less
    where it would not fit, more in pictures so small that a mask would be only a few pixels.
    """
    area = size[0] * size[1]
    rotation = _tilt(rng) @ _roll(rng)
    distance = rng.uniform(4.5, 9.0)
    corners = Camera(rotation, distance, 1.0, (0.0, 0.0)).project(window.corners())
    share = min(max(0.024 * math.exp(rng.normal(0, 0.55)), 0.006, 170 / area), 0.065)
    fits = float((np.array(size) * 0.94 / np.ptp(corners, axis=0)).min())
    focal = min(math.sqrt(share * area / quad_area(corners)), fits)
    low, high = corners.min(axis=0) * focal, corners.max(axis=0) * focal
    wish = np.array(size) * (0.5 + rng.normal(0, 0.09, 2))
    centre = np.clip(wish, 0.02 * np.array(size) - low, 0.98 * np.array(size) - high)
    return Camera(rotation, distance, focal, (float(centre[0]), float(centre[1])))


def _roll(rng: np.random.Generator) -> Points:
    kind, degrees = rng.random(), rng.normal(0, 9)
    if kind < 0.2:
        degrees = rng.uniform(-180, 180)
    elif kind < 0.32:
        degrees += 90 if rng.random() < 0.5 else -90
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _tilt(rng: np.random.Generator) -> Points:
    """A rotation about a random axis in the picture's plane (Rodrigues' formula)."""
    angle = min(abs(rng.normal(0, math.radians(18))), math.radians(42))
    towards = rng.uniform(0, 2 * math.pi)
    x, y = math.cos(towards), math.sin(towards)
    cross = np.array([[0, 0, y], [0, 0, -x], [-y, x, 0]])
    rotation: Points = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)
    return rotation


def circle(radius: float, depth: float, sides: int = 72) -> Points:
    """Float64 (sides, 3): a circle parallel to the dial, `depth` dial radii behind it."""
    angles = np.arange(sides) * (2 * math.pi / sides)
    return np.column_stack([radius * np.cos(angles), radius * np.sin(angles), np.full(sides, depth)])


def quad_area(corners: Points) -> float:
    """Area of a quadrilateral (4, 2), in its own units squared."""
    x, y = corners[:, 0], corners[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def quad_mask(corners: Points, size: tuple[int, int]) -> Image.Image:
    """The pixels of a picture (width, height) whose middles lie in a convex quadrilateral: mode L, 0 or 255.

    `corners` is (4, 2), in pixels, clockwise as seen on the picture.
    """
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, size).astype(int).tolist()
    x, y = np.arange(left, right) + 0.5, (np.arange(top, bottom) + 0.5)[:, None]
    inside = np.ones((bottom - top, right - left), dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (x1 - x0) * (y - y0) >= (y1 - y0) * (x - x0)
    mask = Image.new("L", size)
    mask.paste(Image.fromarray(inside.astype(np.uint8) * 255), (left, top))
    return mask
