"""The flat face of an invented water meter: rim, dial, print, little red clocks and the reading window.

Drawn head-on and larger than it will be seen, so that the camera can tilt it without ragged edges.
Lengths are in dial radii.
"""

import math
from typing import Final

import numpy as np
from PIL import Image

from wms_ml.sample_counter import DECIMALS, WHEELS, Window, draw_counter
from wms_ml.sample_ink import BLACK, RED, RGB, Pen, shade

_PAPER: Final = ((232, 232, 228), (238, 230, 208), (210, 214, 218), (220, 228, 230), (196, 190, 178))
_ACCENTS: Final = (RED, (30, 84, 170), (34, 128, 70), BLACK, (196, 96, 30))
_RIMS: Final = ((196, 198, 200), (150, 152, 150), (178, 150, 96), (60, 62, 66), (218, 220, 220))
_SYLLABLES: Final = ("VO", "DA", "MER", "TRI", "KAL", "NOR", "ZE", "RUN", "LI", "PAX", "TO", "HY")
_PRINT: Final = (
    "Qn 1.5 m3/h",
    "PN 16 bar",
    "90°C",
    "30°C",
    "H-B  V-A",
    "Class B",
    "Q3 2.5 R80",
    "K=0.0012",
    "DN 15",
)


def draw_dial(rng: np.random.Generator, radius: int, window: Window, reading: str) -> Image.Image:
    """The face of a meter that shows `reading` (eight digits): RGB, 2 x `radius` pixels square.

    What lies outside the inscribed circle is of no meaning.
    """
    paper = _PAPER[rng.integers(len(_PAPER))]
    accent = _ACCENTS[rng.choice(len(_ACCENTS), p=(0.35, 0.25, 0.15, 0.15, 0.1))]
    pen = Pen(Image.new("RGB", (2 * radius, 2 * radius), paper))
    _draw_rim(rng, pen, paper, accent)
    # The rest of the print goes below a window that is high and above one that is low.
    side = 1.0 if window.y < 0 else -1.0
    _draw_print(rng, pen, window, side, accent)
    _draw_marks(rng, pen, window, side, accent)
    _draw_clocks(rng, pen, side)
    _draw_window(rng, pen, window, reading)
    return pen.image


def _draw_rim(rng: np.random.Generator, pen: Pen, paper: RGB, accent: RGB) -> None:
    rim = accent if rng.random() < 0.15 else _RIMS[rng.integers(len(_RIMS))]
    inner, lamp = rng.uniform(0.83, 0.91), rng.uniform(0, 2 * math.pi)
    pen.disc(0, 0, 1.0, rim)
    corners = [(math.sin(step * math.pi / 24), math.cos(step * math.pi / 24)) for step in range(49)]
    for step in range(48):
        # Two bright sides, as on turned metal.
        tone = 0.8 + 0.35 * math.cos(2 * (step * math.pi / 24 - lamp)) ** 3
        (x0, y0), (x1, y1) = corners[step], corners[step + 1]
        pen.polygon([(x0, y0), (x1, y1), (x1 * inner, y1 * inner), (x0 * inner, y0 * inner)], shade(rim, tone))
    pen.ring(0, 0, 1.0, shade(rim, 0.55), 0.012)
    pen.ring(0, 0, rng.uniform(0.93, 0.97), shade(rim, 0.7), 0.012)
    pen.disc(0, 0, inner + 0.015, shade(rim, 0.4))
    pen.disc(0, 0, inner, shade(paper, 0.72))  # the rim's shadow on the dial, left as a crescent by the next disc
    pen.disc(0.02 * math.sin(lamp), 0.02 * math.cos(lamp), inner - 0.02, paper)
    if rng.random() < 0.4:
        pen.ring(0, 0, inner - 0.05, accent, 0.014)


def _draw_print(rng: np.random.Generator, pen: Pen, window: Window, side: float, accent: RGB) -> None:
    edge = abs(window.y) + window.half_height
    brand = "".join(_SYLLABLES[i] for i in rng.choice(len(_SYLLABLES), rng.integers(2, 4), replace=False))
    pen.text(rng.uniform(-0.08, 0.08), -side * (edge + 0.13), brand, rng.uniform(0.11, 0.16), accent, 0.006)
    serial = f"{rng.integers(10_000_000, 99_999_999)}  {rng.integers(2008, 2026)}"
    pen.text(0, side * 0.71, serial, rng.uniform(0.065, 0.08), shade(BLACK, 2))
    unit = window.x + window.half_width + 0.1
    pen.text(unit, window.y, "m", 0.12, BLACK)
    pen.text(unit + 0.07, window.y - 0.04, "3", 0.07, BLACK)  # the typeface has no raised three
    below = side * (window.half_height - abs(window.y) + 0.15)
    for row, which in enumerate(rng.choice(len(_PRINT), rng.integers(3, 6), replace=False)):
        pen.text(-0.5, below + side * 0.1 * row, _PRINT[which], 0.082, BLACK)


def _draw_marks(rng: np.random.Generator, pen: Pen, window: Window, side: float, accent: RGB) -> None:
    below = side * (window.half_height - abs(window.y) + 0.15)
    if rng.random() < 0.35:
        for stripe in np.flatnonzero(rng.random(40) < 0.5).tolist():
            pen.box(0.2 + stripe / 90, below - 0.05, 0.21 + stripe / 90, below + 0.05, BLACK)
    if rng.random() < 0.3:
        pen.disc(-0.05, side * 0.42, rng.uniform(0.06, 0.1), accent)
    if rng.random() < 0.5:
        pen.polygon(_star(-0.32, side * 0.62, 0.065, 0.065), BLACK)
        pen.polygon(_star(-0.32, side * 0.62, 0.05, 0.05), shade(_PAPER[0], 0.9))
        pen.text(-0.32, side * 0.62, "M1", 0.06, BLACK)
    colour = RED if rng.random() < 0.35 else BLACK
    x = rng.uniform(-0.1, 0.05)
    pen.polygon(_star(x, side * 0.14, rng.uniform(0.09, 0.13), 0.06), colour)
    pen.disc(x, side * 0.14, 0.025, shade(colour, 2.2))


def _star(x: float, y: float, outer: float, inner: float) -> list[tuple[float, float]]:
    """Eight points: the wheel that shows the smallest flow, or an octagon when both radii are the same."""
    radii = [inner if step % 2 == 0 else outer for step in range(16)]
    return [
        (x + radius * math.sin(step * math.pi / 8), y + radius * math.cos(step * math.pi / 8))
        for step, radius in enumerate(radii)
    ]


def _draw_clocks(rng: np.random.Generator, pen: Pen, side: float) -> None:
    places = ((0.47, 0.24), (0.17, 0.44), (-0.17, 0.44))
    count = int(rng.choice((1, 2, 3), p=(0.6, 0.2, 0.2)))
    radius = rng.uniform(0.17, 0.23) if count == 1 else rng.uniform(0.12, 0.15)
    for number, (x, y) in enumerate(places[:count]):
        _draw_clock(pen, x, side * y, radius, rng.uniform(0, 2 * math.pi), count == 1)
        pen.text(x, side * (y + radius + 0.05), "x0." + "0" * (3 - number) + "1", 0.065, BLACK)


def _draw_clock(pen: Pen, x: float, y: float, radius: float, angle: float, numbered: bool) -> None:
    pen.disc(x, y, radius, (240, 240, 236))
    pen.ring(x, y, radius, BLACK, 0.01)
    for digit in range(10):
        sine, cosine = radius * math.sin(digit * math.pi / 5), -radius * math.cos(digit * math.pi / 5)
        pen.line((x + sine, y + cosine), (x + 0.86 * sine, y + 0.86 * cosine), BLACK, 0.01)
        if numbered:
            pen.text(x + 0.68 * sine, y + 0.68 * cosine, str(digit), radius * 0.38, BLACK)
    pen.disc(x, y, 0.32 * radius, RED)
    sine, cosine = radius * math.sin(angle), -radius * math.cos(angle)
    tip = (x + 0.85 * sine, y + 0.85 * cosine)
    pen.polygon([tip, (x - 0.2 * cosine, y + 0.2 * sine), (x + 0.2 * cosine, y - 0.2 * sine)], RED)


def _draw_window(rng: np.random.Generator, pen: Pen, window: Window, reading: str) -> None:
    (left, top), _, (right, bottom), _ = window.corners().tolist()
    frame = rng.integers(5)
    if frame:
        grow = (0.0, 0.02, 0.03, 0.04, 0.08)[frame]
        pen.box(left - grow, top - grow, right + grow + 0.012, bottom + grow + 0.012, (110, 108, 104))
        pen.box(
            left - grow,
            top - grow,
            right + grow,
            bottom + grow,
            (BLACK, BLACK, RED, BLACK, (240, 240, 236))[frame],
        )
    if rng.random() < 0.25:
        start = left + (right - left) * (WHEELS - DECIMALS) / WHEELS
        pen.box(start, top - 0.035, right + 0.035, bottom + 0.035, RED)
    x0, y0, x1, y1 = (round((value + 1) * pen.scale) for value in (left, top, right, bottom))
    pen.image.paste(draw_counter(rng, (x1 - x0, y1 - y0), reading), (x0, y0))
