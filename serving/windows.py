"""What a caller is told of a picture, and how a found window is put in these words."""

import base64
from typing import Final

from pydantic import BaseModel, Field

from serving.inference import Found
from serving.problems import Problem
from wms_ml import window_shape
from wms_ml.window_shape import Point

_DIGITS: Final = 2
"""Decimals of coordinates, angles and milliseconds: finer ones mean nothing."""


class Box(BaseModel):
    """The smallest rotated rectangle around the window."""

    center: Point
    width: float = Field(description="its longer side, pixels")
    height: float = Field(description="its shorter side, pixels")
    angle: float = Field(description="of its longer side against the horizontal, degrees clockwise, over -90 to 90")
    corners: list[Point] = Field(
        min_length=4, max_length=4, description="clockwise, beginning with the top left one of the straightened window"
    )


class Timings(BaseModel):
    """Where the time went, milliseconds."""

    waited: float = Field(description="for its turn")
    decoded: float = Field(description="reading the picture")
    inferred: float = Field(description="asking the model")
    drawn: float = Field(description="making mask, polygon, box and crop")
    total: float = Field(description="all of these together")


class Window(BaseModel):
    """The reading window found in a picture."""

    width: int = Field(description="of the upright picture, pixels")
    height: int = Field(description="of the upright picture, pixels")
    found: bool
    mask: str = Field(description="base64 of a PNG, `width` by `height`: 255 inside the window, 0 outside")
    polygon: list[Point] = Field(description="rim of the largest area found, clockwise, simplified; empty when none")
    box: Box | None = Field(description="null when there is no polygon")
    crop: str | None = Field(
        description="base64 of a JPEG: the box, cut out of the picture and straightened; null unless `crop=true`"
    )
    confidence: float = Field(description="mean probability inside the mask, 0.5 to 1; 0 when nothing was found")
    coverage: float = Field(description="share of the picture inside the mask, 0 to 1")
    model_version: str
    timings: Timings


class Picture(BaseModel):
    """One picture of a batch: its window, or its problem."""

    name: str = Field(description="of the file, as it was sent")
    window: Window | None
    problem: Problem | None


class Batch(BaseModel):
    """The pictures of a batch, in the order sent."""

    model_version: str
    pictures: list[Picture]


def window_of(found: Found, waited: float, model_version: str) -> Window:
    """A found window as it is told; `waited` in milliseconds."""
    width, height = found.picture.size
    return Window(
        width=width,
        height=height,
        found=found.prediction.coverage > 0,
        mask=_base64(found.mask),
        polygon=[_point(point) for point in found.polygon],
        box=_box(found.box) if found.box else None,
        crop=_base64(found.crop) if found.crop else None,
        confidence=found.prediction.confidence,
        coverage=found.prediction.coverage,
        model_version=model_version,
        timings=_timings(waited, found.decoded, found.inferred, found.drawn),
    )


def _timings(waited: float, decoded: float, inferred: float, drawn: float) -> Timings:
    steps = {"waited": waited, "decoded": decoded, "inferred": inferred, "drawn": drawn}
    return Timings(
        **{name: round(value, _DIGITS) for name, value in steps.items()}, total=round(sum(steps.values()), _DIGITS)
    )


def _box(box: window_shape.Box) -> Box:
    return Box(
        center=_point(box.center),
        width=round(box.width, _DIGITS),
        height=round(box.height, _DIGITS),
        angle=round(box.angle, _DIGITS),
        corners=[_point(corner) for corner in box.corners],
    )


def _point(point: Point) -> Point:
    return round(float(point[0]), _DIGITS), round(float(point[1]), _DIGITS)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
