"""Pictures of pictures: mask outlines, thumbnails, contact sheets, for the UI, the reports and the page."""

import base64
import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from wms_ml.arrays import BoolMask

TRUTH: Final = (255, 176, 0)
"""Amber: what people marked."""
PREDICTED: Final = (0, 200, 255)
"""Cyan: what a model found. Told apart from amber by people with any colour vision."""


def outline(mask: BoolMask, thickness: int = 2) -> BoolMask:
    """The rim of a mask: bool (height, width), `thickness` pixels wide, inside the mask."""
    inner = np.pad(mask, 1)
    for _ in range(thickness):
        core = inner.copy()
        core[1:-1, 1:-1] &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        inner = core
    return mask & ~inner[1:-1, 1:-1]


def overlay(
    image: Image.Image, truth: BoolMask | None = None, predicted: BoolMask | None = None, edge: int = 320
) -> Image.Image:
    """`image` (upright RGB) scaled to at most `edge` pixels with the outlines of its masks drawn on.

    Masks have the picture's own size; amber is the truth, cyan the prediction.
    """
    small = image.copy()
    small.thumbnail((edge, edge), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.array(small)
    for mask, colour in ((truth, TRUTH), (predicted, PREDICTED)):
        if mask is not None:
            scaled = Image.fromarray(mask.astype(np.uint8) * 255).resize(small.size, Image.Resampling.BOX)
            pixels[outline(np.asarray(scaled) >= 128)] = colour
    return Image.fromarray(pixels)


def contact_sheet(pictures: Sequence[tuple[str, Image.Image]], columns: int = 4, cell: int = 250) -> Image.Image:
    """Captioned pictures in a grid of `cell` x `cell` pixels; an empty sequence gives one empty cell."""
    rows = max(1, -(-len(pictures) // columns))
    sheet = Image.new("RGB", (columns * cell, rows * (cell + 16)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (caption, picture) in enumerate(pictures):
        left, top = index % columns * cell, index // columns * (cell + 16)
        small = picture.copy()
        small.thumbnail((cell - 6, cell - 6))
        sheet.paste(small, (left + (cell - small.width) // 2, top + (cell - small.height) // 2))
        draw.text((left + 4, top + cell), caption[: cell // 6], fill="black")
    return sheet


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    """The picture as a file's content."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=80)
    return buffer.getvalue()


def data_uri(image: Image.Image) -> str:
    """The picture as a `data:` address, to stand inside HTML or Markdown by itself."""
    return "data:image/jpeg;base64," + base64.b64encode(encoded(image)).decode()


def mask_image(mask: BoolMask) -> Image.Image:
    """A mask as a picture of mode L, 0 or 255."""
    return Image.fromarray(mask.astype(np.uint8) * 255)
