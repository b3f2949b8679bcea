"""From the bytes of one picture to its reading: does it decode, and the figures that the rules judge.

Whether a picture is accepted is Pillow's word, because training and serving decode with it. Plain JPEG files, which
nearly all are, go through a decoder that is several times as fast and that here accepts less, never more: whatever it
refuses or does not know is decoded by Pillow after all. It divides images while it decodes, which keeps the figures
of the same picture nearly the same (see `measuring.reduction`) and takes a fraction of the memory.
"""

from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageChops

from wms_ml.arrays import open_header, orientation, to_grey, turn_upright
from wms_ml.errors import PictureError
from wms_ml.quality.inspection import Content, Damage, Header, ImageReading, MaskReading, Measuring, Reading, Role
from wms_ml.quality.measuring import (
    at_edge,
    brightness_and_contrast,
    grey_at_edge,
    perceptual_hash,
    pieces,
    reduction,
    sharpness,
)

_PLAIN_FRAMES: Final = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive JPEG with Huffman codes."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

Bytes2D = NDArray[np.uint8]
"""uint8 array of shape (height, width), 0 to 255."""


def read(data: bytes, content: Content, measuring: Measuring) -> Reading:
    """What `data` is, whatever that may be; the same bytes always give the same reading. `content` is theirs.

    Raises:
        MemoryError: decoding takes more memory than this process may use.
    """
    try:
        stored = open_header(data, measuring.max_pixels)
        tag = orientation(stored)
        if content.role is Role.IMAGE:
            return _read_image(data, content.sha256, stored, tag)
        return _read_mask(data, content.sha256, stored, tag, measuring.grey_tolerance)
    except PictureError as error:
        return Damage(code=error.code, message=str(error))


def _read_image(data: bytes, sha256: str, stored: Image.Image, tag: int) -> ImageReading:
    fast = _fast(data, stored, "GRAY", reduction(*stored.size))
    if fast is None:
        upright = turn_upright(stored)
        (width, height), still_to_turn = upright.size, 1
        small = grey_at_edge(upright)
    else:
        (width, height), still_to_turn = _upright(stored.size, tag), tag
        small = at_edge(Image.fromarray(fast[..., 0]))
    brightness, contrast = brightness_and_contrast(small)
    return ImageReading(
        header=Header(sha256, str(stored.format), width, height, tag),
        brightness=brightness,
        contrast=contrast,
        sharpness=sharpness(np.asarray(small)),
        phash=perceptual_hash(small, still_to_turn),
    )


def _read_mask(data: bytes, sha256: str, stored: Image.Image, tag: int, tolerance: int) -> MaskReading:
    fast = _fast(data, stored, "GRAY" if stored.mode == "L" else "RGB")
    if fast is not None and stored.mode == "L":
        grey = darkest = brightest = fast[..., 0]
    else:
        mask = turn_upright(stored) if fast is None else Image.fromarray(fast)
        grey = to_grey(mask)
        darkest, brightest = _extremes(mask, grey)
    # Nothing else that is measured of a mask changes when it is turned.
    width, height = _upright((grey.shape[1], grey.shape[0]), 1 if fast is None else tag)
    marked = grey >= 128
    lit = np.count_nonzero(brightest > tolerance)
    white = np.count_nonzero(darkest >= 255 - tolerance)
    return MaskReading(
        header=Header(sha256, str(stored.format), width, height, 1),
        mask_pixels=int(np.count_nonzero(marked)),
        coverage=float(np.count_nonzero(marked) / marked.size),
        grey_share=float((lit - white) / lit) if lit else 0.0,
        peak=int(brightest.max()),
        pieces=pieces(marked),
    )


def _fast(data: bytes, stored: Image.Image, colours: str, step: int = 1) -> NDArray[np.uint8] | None:
    """A plain JPEG as (height, width, channels), divided by `step`; None for everything that is Pillow's to judge."""
    if stored.format != "JPEG" or stored.mode not in ("L", "RGB") or _frame(data) not in _PLAIN_FRAMES:
        return None
    height, width = -(-stored.height // step), -(-stored.width // step)
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colours, min_height=height, min_width=width)
    except ValueError:
        return None
    return pixels if pixels.shape[:2] == (height, width) else None


def _frame(data: bytes) -> int:
    """The marker that says how a JPEG is coded, 0xC0 to 0xCF; 0 when it does not stand where it should."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        if data[at + 1] in _FRAMES:
            return data[at + 1]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def _upright(size: tuple[int, int], tag: int) -> tuple[int, int]:
    return size if tag < 5 else size[::-1]


def _extremes(mask: Image.Image, grey: Bytes2D) -> tuple[Bytes2D, Bytes2D]:
    """Every pixel's darkest and brightest channel: blue is grey of a dark kind to others, not nearly black."""
    if mask.mode in ("1", "L", "I", "F") or mask.mode.startswith("I;16"):
        return grey, grey
    if mask.mode != "RGB" or "transparency" in mask.info:
        rgba = mask.convert("RGBA")
        mask = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    red, green, blue = mask.split()[:3]
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return np.asarray(darkest), np.asarray(brightest)
