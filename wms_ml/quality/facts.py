"""All that is known about a drop once its files are read: what rules look at, and what they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wms_ml.arrays import SUFFIXES
from wms_ml.quality.inspection import ImageFacts, Inspected, MaskFacts
from wms_ml.quality.listing import IMAGES, MASKS, File, Kind
from wms_ml.quality.report import Contents
from wms_ml.quality.thresholds import Thresholds

CONVERTIBLE: Final = frozenset(
    {
        ".heic",
        ".heif",
        ".avif",
        ".gif",
        ".jp2",
        ".jxl",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".svg",
        ".psd",
        ".pdf",
    }
)
"""Endings of pictures in formats that are not read; their owners must convert them."""

OTHER: Final = {IMAGES: MASKS, MASKS: IMAGES}
"""The folder where a file's partner lies."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule's answer: a finding less the rule's own name and severity."""

    files: tuple[str, ...]
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A drop as rules see it.

    Attributes:
        files: every entry, by path.
        inspected: what reading found, by path; pictures by their ending only.
        accepted: what the data set holds already.
        thresholds: where to draw the lines.
    """

    files: tuple[File, ...]
    inspected: Mapping[str, Inspected]
    accepted: Contents
    thresholds: Thresholds

    def of_kind(self, *kinds: Kind) -> list[File]:
        """Entries of these kinds, by path."""
        return [file for file in self.files if file.kind in kinds]

    def images(self) -> list[ImageFacts]:
        """Images that decode, by path."""
        return [found for found in self.inspected.values() if isinstance(found, ImageFacts)]

    def masks(self) -> list[MaskFacts]:
        """Masks that decode, by path."""
        return [found for found in self.inspected.values() if isinstance(found, MaskFacts)]

    def by_name(self, folder: str) -> dict[str, list[File]]:
        """Pictures of images/ or masks/, by the name that makes a pair."""
        grouped: dict[str, list[File]] = {}
        for file in self.of_kind(Kind.PICTURE):
            if file.folder == folder:
                grouped.setdefault(file.name, []).append(file)
        return grouped

    def pairs(self) -> list[tuple[ImageFacts, MaskFacts]]:
        """Names with exactly one image and one mask that both decode, by name."""
        images, masks = self.by_name(IMAGES), self.by_name(MASKS)
        complete = []
        for name in sorted(images.keys() & masks.keys()):
            if len(images[name]) == len(masks[name]) == 1:
                image, mask = (self.inspected[files[name][0].path] for files in (images, masks))
                if isinstance(image, ImageFacts) and isinstance(mask, MaskFacts):
                    complete.append((image, mask))
        return complete

    def stand_ins(self, folder: str) -> set[str]:
        """Names for which a picture lies in `folder`, be it one that is refused for a reason of its own."""
        return {
            file.name for file in self.files if file.folder == folder and file.suffix in (SUFFIXES.keys() | CONVERTIBLE)
        }
