"""The place where an invented water meter hangs: wall or pit, things in the way, its pipes and its body."""

import math
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from wms_ml.sample_camera import Camera, Points, circle
from wms_ml.sample_ink import RGB, shade

_METALS: Final[tuple[RGB, ...]] = (
    (150, 118, 62), (120, 110, 96), (92, 94, 96), (214, 214, 208), (104, 76, 54),
)  # fmt: skip
_WALLS: Final[tuple[RGB, ...]] = (
    (186, 180, 166), (146, 142, 134), (196, 196, 190), (120, 128, 114), (92, 88, 82), (64, 62, 60),
    (44, 40, 36), (160, 132, 98), (98, 122, 116), (30, 30, 30),
)  # fmt: skip
_PLASTICS: Final[tuple[RGB, ...]] = (
    (166, 38, 40),
    (36, 80, 150),
    (70, 72, 74),
    (178, 180, 178),
    (56, 56, 58),
)
_STRIPS: Final = 11
_SIDES: Final = 40


def draw_scene(rng: np.random.Generator, size: tuple[int, int], camera: Camera) -> Image.Image:
    """Everything but the dial: wall or gravel, clutter, shadow, pipes, body: RGB of (width, height)."""
    image = _wall(rng, size)
    draw = ImageDraw.Draw(image)
    kind = rng.random()
    if kind < 0.2:
        _draw_tiles(rng, draw, size)
    elif kind < 0.35:
        _draw_gravel(rng, draw, size)
    else:
        for _ in range(rng.integers(0, 4)):
            _draw_panel(rng, draw, size)
    for _ in range(rng.integers(0, 4)):
        _draw_stray_pipe(rng, draw, size)
    _cast_shadow(rng, image, camera)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 2.0) * min(size) / 300))
    draw = ImageDraw.Draw(image)
    _draw_pipes(rng, draw, camera)
    _draw_body(rng, draw, camera)
    return image


def _wall(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    base = _WALLS[rng.integers(len(_WALLS))]
    grain = np.full((size[1], size[0]), 128, dtype=np.float32)
    for cells, strength in (
        (3, 16),
        (9, 10),
        (40, rng.uniform(3, 14)),
        (max(3, min(size) // 2), rng.uniform(4, 16)),
    ):
        coarse = rng.standard_normal((cells + 1, cells), dtype=np.float32) * np.float32(strength)
        grain += np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR))
    tone = Image.fromarray(grain.clip(0, 255).astype(np.uint8))
    return Image.merge("RGB", [tone.point([min(255, level * value // 128) for level in range(256)]) for value in base])


def _draw_tiles(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    step = min(size) * rng.uniform(0.25, 0.6)
    slope, phase = rng.normal(0, 0.05), rng.uniform(0, 1)
    reach = sum(size)
    colour = (58, 56, 52) if rng.random() < 0.6 else (200, 200, 194)
    for number in range(-2, int(reach / step) + 2):
        at = (number + phase) * step
        draw.line((0, at, reach, at + slope * reach), colour, max(1, round(step / 60)))
        draw.line((at, 0, at - slope * reach, reach), colour, max(1, round(step / 60)))


def _draw_gravel(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    base = _WALLS[rng.integers(len(_WALLS))]
    draw.rectangle((0, 0, *size), shade(base, 0.25))
    for x, y, extent, tone in rng.random((360, 4)).tolist():
        half = min(size) * (0.015 + 0.055 * extent**2)
        x, y = x * size[0], y * size[1]
        draw.ellipse((x - half, y - half * 0.7, x + half, y + half), shade(base, 0.2))
        draw.ellipse((x - half, y - half * 0.8, x + half, y + half * 0.7), shade(base, 0.5 + 0.7 * tone))


def _draw_panel(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    """A board, door or recess: everything on one side of a slanted line, with a dark seam."""
    angle = rng.normal(0, 0.1) + rng.integers(4) * math.pi / 2
    along = np.array([math.cos(angle), math.sin(angle)]) * sum(size)
    away = np.array([-along[1], along[0]])
    edge = np.array(size) / 2 + away / sum(size) * min(size) * rng.uniform(0.2, 0.6)
    colour = shade(_WALLS[rng.integers(len(_WALLS))], rng.uniform(0.4, 1.1))
    draw.polygon(flat(np.array([edge - along, edge + along, edge + along + away, edge - along + away])), colour)
    draw.line(flat(np.array([edge - along, edge + along])), shade(colour, 0.4), max(1, min(size) // 60))


def _draw_stray_pipe(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    angle = rng.normal(0, 0.12) + (0.0 if rng.random() < 0.3 else math.pi / 2)
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-along[1], along[0]]) * min(size) * rng.uniform(0.01, 0.13)
    along, middle = along * sum(size), rng.random(2) * size
    choices = _METALS + _PLASTICS
    colour = shade(choices[rng.integers(len(choices))], rng.uniform(0.5, 1.0))
    corners = np.array([-along - across, along - across, along + across, -along + across]) + middle
    _draw_tube(draw, corners, colour)


def _cast_shadow(rng: np.random.Generator, image: Image.Image, camera: Camera) -> None:
    shadow = Image.new("L", image.size)
    outline = camera.project(circle(1.05, 1.2)) + rng.uniform(-0.3, 0.3, 2) * camera.radius
    ImageDraw.Draw(shadow).polygon(flat(outline), fill=200)
    image.paste((8, 8, 8), (0, 0, *image.size), shadow.filter(ImageFilter.BoxBlur(0.15 * camera.radius)))


def _draw_pipes(rng: np.random.Generator, draw: ImageDraw.ImageDraw, camera: Camera) -> None:
    """Stub, nut, thread, coupling and pipe at both sides of the meter, the far ones first."""
    metal = _METALS[rng.choice(len(_METALS), p=(0.4, 0.2, 0.15, 0.15, 0.1))]
    pipe = metal if rng.random() < 0.5 else _METALS[rng.integers(len(_METALS))]
    upright, thick = rng.random() < 0.4, rng.uniform(0.2, 0.34)
    nut = rng.uniform(1.2, 1.5)
    parts = (
        (2.4 + nut / 3, 7.0, 1.0, pipe, _STRIPS),
        (1.3 + nut / 2, 2.5 + nut / 3, 1.3, shade(metal, 1.1), 3),
        (nut + 0.3, 1.4 + nut / 2, 0.9, shade(metal, 0.8), _STRIPS),
        (nut - 0.1, nut + 0.4, 1.45, metal, 3),
        (0.5, nut, 1.15, shade(metal, 0.9), _STRIPS),
    )
    for way in (-1.0, 1.0):
        for start, end, grow, colour, strips in parts:
            half = thick * grow
            corners = np.array([(start, -half, 0.9), (end, -half, 0.9), (end, half, 0.9), (start, half, 0.9)])
            corners[:, 0] *= way
            if upright:
                corners[:, :2] = corners[:, 1::-1]
            _draw_tube(draw, camera.project(corners), colour, strips)


def _draw_body(rng: np.random.Generator, draw: ImageDraw.ImageDraw, camera: Camera) -> None:
    """The meter's cylinder: metal, collar and glass; some have an open lid."""
    metal = _METALS[rng.integers(len(_METALS))]
    collar = _PLASTICS[rng.integers(len(_PLASTICS))]
    depth, lamp = rng.uniform(0.5, 1.0), rng.uniform(0, 2 * math.pi)
    if rng.random() < 0.12:
        _draw_lid(draw, camera, collar)
    bands = (
        (1.5 * depth, depth, 0.92, metal),
        (depth, 0.5 * depth, 1.0, collar),
        (0.5 * depth, 0.0, 1.0, (150, 152, 150)),
    )
    angles = np.arange(_SIDES) * (2 * math.pi / _SIDES)
    tones = (0.7 + 0.4 * np.cos(angles - lamp) + 0.12 * (np.arange(_SIDES) % 2)).tolist()
    for back, front, radius, colour in bands:
        far, near = (
            camera.project(circle(radius, back, _SIDES)),
            camera.project(circle(radius, front, _SIDES)),
        )
        for side in range(_SIDES):
            quad = np.array([far[side - 1], far[side], near[side], near[side - 1]])
            draw.polygon(flat(quad), shade(colour, tones[side]))
        draw.polygon(flat(near), shade(colour, 0.5))


def _draw_lid(draw: ImageDraw.ImageDraw, camera: Camera, colour: RGB) -> None:
    """A lid that stands open at the dial's upper edge, leaning towards the camera."""
    for radius, tone in ((1.0, 0.8), (0.93, 0.55)):
        lid = circle(radius, 0.0)
        lid[:, 2] = -0.5 * (lid[:, 1] + 1.0)
        lid[:, 1] = -1.9 + 0.8 * lid[:, 1]
        draw.polygon(flat(camera.project(lid)), shade(colour, tone))


def _draw_tube(draw: ImageDraw.ImageDraw, corners: Points, colour: RGB, strips: int = _STRIPS) -> None:
    """A quadrilateral (4, 2) shaded as a round bar, or a nut of few `strips`; corners 0, 1 lie along it."""
    first, second, third, fourth = corners
    steps = np.linspace(0, 1, strips + 1)[:, None]
    near, far = first + (fourth - first) * steps, second + (third - second) * steps
    for strip in range(strips):
        tone = 0.3 + 0.85 * math.sin(math.pi * (strip + 0.7) / (strips + 0.8)) ** 1.5
        draw.polygon(flat(np.array([near[strip], far[strip], far[strip + 1], near[strip + 1]])), shade(colour, tone))


def flat(points: Points) -> list[float]:
    """Points (n, 2) as Pillow wants them: x, y, x, y, ..."""
    return points.ravel().tolist()
