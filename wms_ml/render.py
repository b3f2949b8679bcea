"""Pictures of pictures: mask outlines, thumbnails, contact sheets, for the UI, the reports and the page."""

import base64
import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wms_ml.arrays import BoolMask

TRUTH: Final = (255, 176, 0)
"""Amber: what people marked."""
PREDICTED: Final = (0, 200, 255)
"""Cyan: what a model found. Told apart from amber by people with any colour vision."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

_TEXT: Final = 13
_LINE: Final = 20
"""Pixels of a caption's letters, and of the line it stands on."""
_GAP: Final = 6
_AROUND: Final = 1.5
"""Side of a close-up, divided by the longer side of what it is about."""


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
            pixels[outline(_scaled(mask, small.size))] = colour
    return Image.fromarray(pixels)


def close_up(
    image: Image.Image, truth: BoolMask, predicted: BoolMask, edge: int = 280, around: BoolMask | None = None
) -> Image.Image:
    """The part of `image` (upright RGB) around both masks, its longer side `edge` pixels, the masks outlined.

    Masks have the picture's own size; `around` shows what lies around another mask instead. Amber is drawn outside
    the truth's rim and cyan inside the prediction's, so that both are seen where they agree. Without any mask the
    whole picture is shown.
    """
    left, top, right, bottom = _around(truth | predicted if around is None else around)
    scale = edge / max(right - left, bottom - top)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    pixels = np.array(image.crop((left, top, right, bottom)).resize(size, Image.Resampling.BICUBIC))
    real, found = (_scaled(mask[top:bottom, left:right], size) for mask in (truth, predicted))
    pixels[_rim_outside(real)] = TRUTH
    pixels[outline(found)] = PREDICTED
    return Image.fromarray(pixels)


def contact_sheet(
    pictures: Sequence[tuple[str, Image.Image]],
    columns: int = 4,
    cell: int = 250,
    legend: Sequence[tuple[str, Colour]] = (),
) -> Image.Image:
    """Captioned pictures in a grid of `cell` x `cell` pixels, below a line that says what colours mean, if any do.

    An empty sequence gives one empty cell.
    """
    head, rows = _LINE if legend else 0, max(1, -(-len(pictures) // columns))
    sheet = Image.new("RGB", (columns * cell, head + rows * (cell + _LINE)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    left: float = _GAP
    for words, colour in legend:
        draw.rectangle((left, _GAP, left + _TEXT, _LINE - _GAP), fill=colour)
        draw.text((left + _LINE, 1), words, fill="black", font=font)
        left += 2 * _LINE + font.getlength(words)
    for index, (caption, picture) in enumerate(pictures):
        column, row = index % columns * cell, head + index // columns * (cell + _LINE)
        small = picture.copy()
        small.thumbnail((cell - _GAP, cell - _GAP))
        sheet.paste(small, (column + (cell - small.width) // 2, row + (cell - small.height) // 2))
        draw.text((column + _GAP, row + cell), _fitting(caption, font, cell - 2 * _GAP), fill="black", font=font)
    return sheet


def _fitting(words: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont", width: float) -> str:
    """As much of a text as fits into `width` pixels."""
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(f"{words}…") > width:
        words = words[:-1]
    return f"{words}…"


def _rim_outside(mask: BoolMask, thickness: int = 2) -> BoolMask:
    """The rim of a mask like `outline`, but outside it."""
    room = np.pad(~mask, thickness, constant_values=True)
    return outline(room, thickness)[thickness:-thickness, thickness:-thickness]


def _scaled(mask: BoolMask, size: tuple[int, int]) -> BoolMask:
    """A mask at (width, height) pixels; one is marked when at least half of it is."""
    scaled: BoolMask = np.asarray(mask_image(mask).resize(size, Image.Resampling.BOX)) >= 128
    return scaled


def _around(mask: BoolMask) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a square around what is marked, as far as it lies in the picture."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, width, height
    half = round(max(rows[-1] - rows[0], columns[-1] - columns[0]) * _AROUND / 2) + _LINE
    y, x = int(rows[0] + rows[-1]) // 2, int(columns[0] + columns[-1]) // 2
    return max(0, x - half), max(0, y - half), min(width, x + half), min(height, y + half)


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
