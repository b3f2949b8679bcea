"""The reading window of an invented meter: where it lies on the dial, and the digit wheels behind it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from wms_ml.sample_ink import BLACK, IVORY, RED, RGB, font

WHEELS: Final = 8
DECIMALS: Final = 3
"""Wheels after the decimal point, printed in red."""

_STYLES: Final[tuple[tuple[RGB, RGB, RGB, RGB], ...]] = (
    (BLACK, IVORY, RED, IVORY),
    (IVORY, BLACK, IVORY, RED),
    (IVORY, BLACK, RED, IVORY),
)
"""Wheel, digit, decimal wheel, decimal digit."""
_GAPS: Final[tuple[RGB, ...]] = ((70, 70, 70), (20, 20, 20), (214, 212, 204))


@dataclass(frozen=True, slots=True)
class Window:
    """The reading window: an upright rectangle on the dial, in dial radii, x to the right and y down."""

    x: float
    y: float
    half_width: float
    half_height: float

    def corners(self) -> NDArray[np.float64]:
        """Float64 (4, 2): top left, top right, bottom right, bottom left."""
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        corners: NDArray[np.float64] = (self.x, self.y) + signs * (self.half_width, self.half_height)
        return corners


def choose_window(rng: np.random.Generator) -> Window:
    """A reading window that lies on the dial, above the middle three times in four."""
    half_width = rng.uniform(0.44, 0.6)
    y = -rng.uniform(0.16, 0.4) if rng.random() < 0.75 else rng.uniform(0.22, 0.38)
    return Window(rng.uniform(-0.06, 0.06), y, half_width, half_width * rng.uniform(0.18, 0.27))


def draw_counter(rng: np.random.Generator, size: tuple[int, int], reading: str) -> Image.Image:
    """The wheels that show `reading` (eight digits): RGB of `size`. The last stands between two digits."""
    width, height = size
    wheel, digit, red_wheel, red_digit = _STYLES[rng.choice(len(_STYLES), p=(0.4, 0.4, 0.2))]
    gap, gap_width = _GAPS[rng.integers(len(_GAPS))], max(1, round(height * rng.uniform(0.03, 0.14)))
    face = font(height * rng.uniform(0.68, 0.84))
    image = Image.new("RGB", size, wheel)
    draw = ImageDraw.Draw(image)
    for place, turn in enumerate(turns(reading, rng.uniform(0, 0.9))):
        left, right = width * place / WHEELS, width * (place + 1) / WHEELS
        decimal = place >= WHEELS - DECIMALS
        draw.rectangle((left, 0, right, height), red_wheel if decimal else wheel)
        for ahead in (0, 1):
            middle = ((left + right) / 2, height * (0.5 + ahead - turn))
            text = str((int(reading[place]) + ahead) % 10)
            draw.text(middle, text, red_digit if decimal else digit, face, "mm", stroke_width=height / 70)
        draw.line((left, 0, left, height), gap, gap_width)
    return _rounded(image)


def _rounded(image: Image.Image) -> Image.Image:
    """Darken top and bottom: wheels curve away from the window, and its upper edge throws a shadow."""
    curve = np.cos(np.linspace(-1.15, 1.0, max(1, image.height))) ** 0.8
    band = Image.fromarray((curve * 255).astype(np.uint8)[:, None]).resize(image.size)
    return ImageChops.multiply(image, Image.merge("RGB", (band, band, band)))


def turns(reading: str, last: float) -> list[float]:
    """How far each wheel has rolled to its next digit, 0 to 1: one moves along when all after it show 9."""
    rolled = [0.0] * len(reading)
    for place in range(len(reading) - 1, -1, -1):
        rolled[place] = last
        if reading[place] != "9":
            break
    return rolled
