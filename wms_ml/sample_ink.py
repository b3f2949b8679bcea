"""Colours, letters and a pen that thinks in dial radii: what the drawings of sample meters share."""

from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

RGB = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

BLACK: Final[RGB] = (28, 28, 30)
IVORY: Final[RGB] = (228, 226, 216)
RED: Final[RGB] = (186, 34, 38)


def shade(colour: RGB, factor: float) -> RGB:
    """A colour made lighter (above 1) or darker, held within 0 to 255."""
    red, green, blue = (min(255, max(0, round(value * factor))) for value in colour)
    return red, green, blue


def font(height: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own typeface, `height` pixels high, never under 4."""
    return _font(max(4, round(height)))


@lru_cache(maxsize=256)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=height)


class Pen:
    """Draws on a square picture in dial radii: x to the right, y down, (0, 0) in the middle, the rim at 1."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.scale = image.width / 2
        self._draw = ImageDraw.Draw(image)

    def _at(self, *values: float) -> list[float]:
        return [(value + 1) * self.scale for value in values]

    def _width(self, width: float) -> int:
        return max(1, round(width * self.scale))

    def disc(self, x: float, y: float, radius: float, fill: RGB) -> None:
        self._draw.ellipse(self._at(x - radius, y - radius, x + radius, y + radius), fill)

    def ring(self, x: float, y: float, radius: float, colour: RGB, width: float) -> None:
        """A circle line of `width` that ends at `radius`."""
        box = self._at(x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(box, outline=colour, width=self._width(width))

    def box(self, left: float, top: float, right: float, bottom: float, fill: RGB) -> None:
        self._draw.rectangle(self._at(left, top, right, bottom), fill)

    def polygon(self, points: list[tuple[float, float]], fill: RGB) -> None:
        self._draw.polygon([value for point in points for value in self._at(*point)], fill)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: RGB, width: float) -> None:
        self._draw.line(self._at(*start, *end), colour, self._width(width))

    def text(self, x: float, y: float, text: str, height: float, colour: RGB, bold: float = 0.0) -> None:
        """Text with its middle at (x, y)."""
        face = font(height * self.scale)
        at = ((x + 1) * self.scale, (y + 1) * self.scale)
        self._draw.text(at, text, colour, face, "mm", stroke_width=bold * self.scale)
