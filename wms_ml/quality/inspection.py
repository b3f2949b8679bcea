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

_SPECK: Final = 8
"""Fewer pixels (at that scale) are a speck, no marked area."""
_COSINES: Final = np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(32) + 1) / 64)
"""The 8 lowest frequencies of the cosine transform (DCT-II) over 32 values, rows not normalized."""


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
    """An image that decodes; fields as in `Measures`."""

    file: File
    header: Header
    brightness: float
    contrast: float
    sharpness: float
    phash: str


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """A mask that decodes; `peak` is its highest value (0 to 255) in any channel, others as in `Measures`."""

    file: File
    header: Header
    mask_pixels: int
    coverage: float
    grey_share: float
    peak: int
    pieces: int


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
    return ImageFacts(
        file,
        header,
        brightness=float(values.mean(dtype=np.float64)),
        contrast=float(values.std(dtype=np.float64)),
        sharpness=sharpness(values),
        phash=perceptual_hash(grey),
    )


def sharpness(grey: NDArray[np.float32]) -> float:
    """Variance of the Laplacian over the four neighbours of grey values (height, width), 0 to 255.

    Rims have no four neighbours and are left out; a picture without an inside has 0.
    """
    if min(grey.shape) < 3:
        return 0.0
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).var(dtype=np.float64))


def perceptual_hash(grey: Image.Image) -> str:
    """64 bits as 16 hex digits: which of the 8 x 8 lowest frequencies (cosine transform of the picture at
    32 x 32 pixels, the mean left out) lie above their median. Near-duplicates differ in few bits.

    Source: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.
    """
    small = np.asarray(grey.resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    low = (_COSINES @ small @ _COSINES.T).ravel()
    bits = low > np.median(low[1:])
    return np.packbits(bits).tobytes().hex()


def _pieces(marked: NDArray[np.bool_]) -> int:
    from scipy import ndimage

    step = max(1, max(marked.shape) // _EDGE)
    labels, count = ndimage.label(marked[::step, ::step])
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return int((sizes >= _SPECK).sum())


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
        pieces=_pieces(np.asarray(grey) >= 128),
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
