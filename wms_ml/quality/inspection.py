"""One file of a drop, read once: its hash, whether it decodes, and the measures that the rules judge."""

import hashlib
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from wms_ml.arrays import SUFFIXES, open_header, orientation, to_grey, to_rgb, turn_upright
from wms_ml.errors import DropError, PictureError
from wms_ml.quality.listing import MASKS, File
from wms_ml.quality.thresholds import Thresholds

_EDGE: Final = 512
"""Longer side, in pixels, at which sharpness is measured: it depends on scale, and pictures come in many."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that is not a usable picture; `code` is that of `PictureError`, or `misnamed`."""

    file: File
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Header:
    """What both kinds of picture have: content and shape.

    Attributes:
        sha256: hex, of the file's bytes.
        format: Pillow's name, such as JPEG.
        width: pixels, upright.
        height: pixels, upright.
        orientation: EXIF orientation as stored, 1 to 8.
    """

    sha256: str
    format: str
    width: int
    height: int
    orientation: int


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image that decodes; brightness and sharpness as in `Measures`."""

    file: File
    header: Header
    brightness: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """A mask that decodes; `peak` is its highest value (0 to 255) in any channel, others as in `Measures`."""

    file: File
    header: Header
    mask_pixels: int
    coverage: float
    grey_share: float
    peak: int


Inspected: TypeAlias = Broken | ImageFacts | MaskFacts


def inspect(file: File, thresholds: Thresholds) -> Inspected:
    """Read and measure one file; whatever its content is, the outcome is a value.

    Raises:
        DropError: the file cannot be read at all: it vanished, or reading is not permitted.
    """
    try:
        if file.source.stat().st_size > thresholds.max_bytes:
            megabytes = thresholds.max_bytes / 1e6
            return Broken(file, "too-large", f"the file has more than {megabytes:.0f} MB and was not opened")
        data = file.source.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DropError(f"{file.path} cannot be read ({reason}): make it readable and inspect again") from error
    try:
        return _measure(file, data, thresholds)
    except PictureError as error:
        return Broken(file, error.code, str(error))


def _measure(file: File, data: bytes, thresholds: Thresholds) -> Inspected:
    stored = open_header(data, thresholds.max_pixels)
    if stored.format not in SUFFIXES[file.suffix]:
        return Broken(file, "misnamed", f"the content is {stored.format}, the name says {file.suffix}")
    tag = orientation(stored)
    upright = turn_upright(stored)
    digest = hashlib.sha256(data).hexdigest()
    header = Header(digest, stored.format, upright.width, upright.height, tag)
    if file.folder == MASKS:
        return _mask_facts(file, header, upright, thresholds.grey_tolerance)
    grey = to_rgb(upright).convert("L")
    grey.thumbnail((_EDGE, _EDGE), Image.Resampling.BOX)
    values = np.asarray(grey, dtype=np.float32)
    return ImageFacts(file, header, float(values.mean(dtype=np.float64)), sharpness(values))


def sharpness(grey: NDArray[np.float32]) -> float:
    """Variance of the Laplacian over the four neighbours of grey values (height, width), 0 to 255.

    Rims have no four neighbours and are left out; a picture without an inside has 0.
    """
    if min(grey.shape) < 3:
        return 0.0
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).var(dtype=np.float64))


def _mask_facts(file: File, header: Header, mask: Image.Image, tolerance: int) -> MaskFacts:
    grey = Image.fromarray(to_grey(mask))
    darkest, brightest = _extremes(mask, grey)
    marked = sum(grey.histogram()[128:])
    lit = sum(brightest[tolerance + 1 :])
    white = sum(darkest[255 - tolerance :])
    return MaskFacts(
        file=file,
        header=header,
        mask_pixels=marked,
        coverage=marked / (header.width * header.height),
        grey_share=(lit - white) / lit if lit else 0.0,
        peak=max(value for value, count in enumerate(brightest) if count),
    )


def _extremes(mask: Image.Image, grey: Image.Image) -> tuple[list[int], list[int]]:
    """Histograms (256 counts) of every pixel's darkest and brightest channel: blue is not nearly black."""
    if mask.mode in ("1", "L", "I", "F") or mask.mode.startswith("I;16"):
        counts = grey.histogram()
        return counts, counts
    rgba = mask.convert("RGBA")
    on_black = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    red, green, blue, _ = on_black.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return darkest.histogram(), brightest.histogram()
