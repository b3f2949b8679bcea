"""What a phone makes of the scene: the tilted dial, uneven light, glare on the glass, colours, noise."""

import math
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from wms_ml.sample_camera import Camera, circle
from wms_ml.sample_scene import flat

_COARSE: Final = 4
"""Glare is soft: it is drawn this much smaller."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels of the finished picture."""
Part = tuple[float, float, float, float]
"""Left, top, right, bottom, each 0 to 1: a share of the finished picture."""


def cast_light(rng: np.random.Generator, size: tuple[int, int], camera: Camera) -> Image.Image:
    """How much light falls where, for a picture (width, height): mode L, coarse, 255 where nothing is lost.

    A lamp or window at one side, or a flash that reaches little more than the meter; stained here and there.
    """
    rows, columns = max(2, size[1] // 12), max(2, size[0] // 12)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x, y = x * (size[0] / columns) - camera.centre[0], y * (size[1] / rows) - camera.centre[1]
    towards = rng.uniform(0, 2 * math.pi)
    dark = (x * math.cos(towards) + y * math.sin(towards)) / max(size) * rng.uniform(0.2, 0.7) + 0.1
    if rng.random() < 0.6:
        falloff = (np.hypot(x, y) / camera.radius - rng.uniform(0.7, 1.3)) / rng.uniform(0.8, 2.5)
        dark = dark * 0.5 + falloff.clip(0, 1) * rng.uniform(0.5, 0.9)
    dark = dark + rng.standard_normal((rows, columns), dtype=np.float32) * rng.uniform(0.0, 0.045)
    return Image.fromarray(((1 - dark).clip(0.1, 1) * 255).astype(np.uint8))


def lit(image: Image.Image, light: Image.Image, part: Part = (0, 0, 1, 1)) -> Image.Image:
    """`image` under `light`, of which it fills `part`."""
    width, height = light.size
    box = (part[0] * width, part[1] * height, part[2] * width, part[3] * height)
    level = light.resize(image.size, Image.Resampling.BILINEAR, box)
    return ImageChops.multiply(image, Image.merge("RGB", (level, level, level)))


def tilted(dial: Image.Image, camera: Camera, box: Box, blur: float = 1.0) -> Image.Image:
    """What `camera` sees of the flat `dial` (square) within `box`, in pixels `blur` times as large."""
    left, top, right, bottom = box
    width, height = math.ceil((right - left) / blur), math.ceil((bottom - top) / blur)
    place = np.array([[(right - left) / width, 0, left], [0, (bottom - top) / height, top], [0, 0, 1]])
    half = dial.width / 2
    to_dial = np.array([[half, 0, half], [0, half, half], [0, 0, 1]])
    back = to_dial @ np.linalg.inv(camera.homography()) @ place
    terms = (back / back[2, 2]).ravel()[:8].tolist()
    return dial.transform((width, height), Image.Transform.PERSPECTIVE, terms, Image.Resampling.BILINEAR)


def lay_dial(
    rng: np.random.Generator,
    image: Image.Image,
    dial: Image.Image,
    camera: Camera,
    light: Image.Image,
    blur: float,
) -> None:
    """Paste the flat dial (RGB, square) on `image` as `camera` sees it: tilted, lit, under reflecting glass.

    It is seen in pixels `blur` times too large, 1 or more, and smoothed.
    """
    rim = circle(1.0, 0.0)
    left, top, right, bottom = box = camera.box(rim, image.size)
    part = (left / image.width, top / image.height, right / image.width, bottom / image.height)
    seen = lit(tilted(dial, camera, box, blur), light, part)
    glass = _glare(rng, camera, box).resize(seen.size, Image.Resampling.BILINEAR)
    seen = ImageChops.screen(seen, Image.merge("RGB", (glass, glass, glass)))
    cut = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(cut).polygon(flat(camera.project(rim) - (left, top)), fill=255)
    seen = seen.resize(cut.size, Image.Resampling.BILINEAR)
    image.paste(seen, box, cut.filter(ImageFilter.BoxBlur(0.7 * blur)))


def _glare(rng: np.random.Generator, camera: Camera, box: Box) -> Image.Image:
    """Reflections on the glass in `box`: soft spots, an arc along the rim. Mode L, small, 255 is white."""
    left, top, right, bottom = box
    glass = Image.new("L", (-(-(right - left) // _COARSE), -(-(bottom - top) // _COARSE)))
    draw = ImageDraw.Draw(glass)
    for _ in range(rng.integers(0, 4)):
        spot = circle(rng.uniform(0.05, 0.25), 0.0, 20)
        spot[:, 1] *= rng.uniform(0.3, 1.0)
        spot[:, :2] += rng.uniform(-0.7, 0.7, 2)
        draw.polygon(flat((camera.project(spot) - (left, top)) / _COARSE), fill=int(rng.integers(30, 210)))
    start, length = int(rng.integers(72)), int(rng.integers(5, 20))
    arc = np.roll(circle(rng.uniform(0.86, 0.97), 0.0), start, axis=0)[:length]
    stroke = max(1, round(camera.radius * 0.05 / _COARSE))
    draw.line(flat((camera.project(arc) - (left, top)) / _COARSE), int(rng.integers(60, 230)), stroke)
    soft = ImageFilter.BoxBlur(max(0.5, camera.radius * rng.uniform(0.02, 0.07) / _COARSE))
    return glass.filter(soft).filter(soft)


def develop(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Exposure, white balance, contrast and sensor noise."""
    warmth = rng.normal(0.06, 0.12)
    gains = rng.uniform(0.8, 1.15) * np.exp([warmth, rng.normal(0.01, 0.03), -1.5 * warmth])
    curve = 255 * (np.arange(256) / 255) ** rng.uniform(0.85, 1.25)
    image = image.point(np.outer(gains, curve).clip(0, 255).astype(int).ravel().tolist())
    strength = math.exp(rng.normal(-2.9, 0.6))
    raw = Image.frombytes("L", image.size, rng.bytes(image.width * image.height))
    raw = raw.point([int(level * strength) for level in range(256)])
    # One field, shifted, is enough for three colours: nobody sees that they are related.
    bands = [ImageChops.offset(raw, shift * image.width // 3, shift * image.height // 5) for shift in range(3)]
    return ImageChops.add(image, Image.merge("RGB", bands), 1, -int(127 * strength))
