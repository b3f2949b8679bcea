"""What is known of one file of a drop: what was read from its bytes, and where it lies.

The two are kept apart because the first can be remembered: the same bytes, measured in the same way, always give
the same reading, wherever and whenever they come.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from wms_ml.arrays import SUFFIXES
from wms_ml.quality.listing import IMAGES, File
from wms_ml.quality.thresholds import Thresholds

VERSION: Final = "1"
"""Raised when the same bytes give another reading: then nothing that is remembered counts any more."""


class Role(StrEnum):
    """What a file is there for; it decides what is measured."""

    IMAGE = "image"
    MASK = "mask"


class Content(NamedTuple):
    """What a reading is about: the hex SHA-256 of a file's bytes, and its role."""

    sha256: str
    role: Role


@dataclass(frozen=True, slots=True)
class Measuring:
    """All that a reading depends on besides the bytes; attributes as in `Thresholds`."""

    max_pixels: int
    grey_tolerance: int

    @classmethod
    def of(cls, thresholds: Thresholds) -> "Measuring":
        """The part of the thresholds that measuring needs; the others only judge."""
        return cls(thresholds.max_pixels, thresholds.grey_tolerance)

    @property
    def measured(self) -> str:
        """Version and grey tolerance, such as `1-48`: what the measures of a pair depend on."""
        return f"{VERSION}-{self.grey_tolerance}"


@dataclass(frozen=True, slots=True)
class Header:
    """What both kinds of picture have: content and shape.

    Attributes:
        sha256: hex, of the file's bytes.
        format: Pillow's name, such as JPEG.
        width: pixels, upright.
        height: pixels, upright.
        orientation: EXIF orientation of an image as stored, 1 to 8; of a mask 1, for nothing asks how it was turned.
    """

    sha256: str
    format: str
    width: int
    height: int
    orientation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Bytes that are no usable picture; `code` is that of `PictureError`."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReading:
    """An image that decodes; fields as in `Measures`."""

    header: Header
    brightness: float
    contrast: float
    sharpness: float
    phash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskReading:
    """A mask that decodes; `peak` is its highest value (0 to 255) in any channel, others as in `Measures`."""

    header: Header
    mask_pixels: int
    coverage: float
    grey_share: float
    peak: int
    pieces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Damage):
    """A file that is not a usable picture; `code` may also be `misnamed`."""

    file: File


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts(ImageReading):
    """An image that decodes, in its place."""

    file: File


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFacts(MaskReading):
    """A mask that decodes, in its place."""

    file: File


Reading: TypeAlias = Damage | ImageReading | MaskReading
Inspected: TypeAlias = Broken | ImageFacts | MaskFacts


def role_of(file: File) -> Role:
    """What the file is there for, as its folder says."""
    return Role.IMAGE if file.folder == IMAGES else Role.MASK


def placed(file: File, reading: Reading) -> Inspected:
    """A reading in its place: only there can it be seen that a name says something else than the content."""
    known = {field.name: getattr(reading, field.name) for field in fields(reading)}
    if isinstance(reading, Damage):
        return Broken(file=file, **known)
    found = reading.header.format
    if found not in SUFFIXES[file.suffix]:
        return Broken(file=file, code="misnamed", message=f"the content is {found}, the name says {file.suffix}")
    return ImageFacts(file=file, **known) if isinstance(reading, ImageReading) else MaskFacts(file=file, **known)
