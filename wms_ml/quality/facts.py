"""All that is known about a drop once its files are read: what rules look at, and what they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from wms_ml.catalogue import Accepted
from wms_ml.pairs import Pair
from wms_ml.quality.endings import PICTURES
from wms_ml.quality.inspection import ImageFacts, Inspected, MaskFacts
from wms_ml.quality.listing import IMAGES, MASKS, File, Kind
from wms_ml.quality.thresholds import Thresholds

OTHER: Final = {IMAGES: MASKS, MASKS: IMAGES}
"""The folder where a file's partner lies."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule's answer: a finding less the rule's own name and severity."""

    files: tuple[str, ...]
    message: str
    remedy: str


class Couple(NamedTuple):
    """An image and a mask of one name, both of which decode."""

    image: ImageFacts
    mask: MaskFacts


@dataclass(frozen=True)
class Facts:
    """A drop as rules see it; many ask the same, which is worked out once.

    Attributes:
        files: every entry, by path.
        inspected: what reading found, by path; pictures by their ending only.
        accepted: what the data set holds already.
        thresholds: where to draw the lines.
    """

    files: tuple[File, ...]
    inspected: Mapping[str, Inspected]
    accepted: Accepted
    thresholds: Thresholds

    def of_kind(self, *kinds: Kind) -> list[File]:
        """Entries of these kinds, by path."""
        return [file for file in self.files if file.kind in kinds]

    @cached_property
    def images(self) -> list[ImageFacts]:
        """Images that decode, by path."""
        return [found for found in self.inspected.values() if isinstance(found, ImageFacts)]

    @cached_property
    def masks(self) -> list[MaskFacts]:
        """Masks that decode, by path."""
        return [found for found in self.inspected.values() if isinstance(found, MaskFacts)]

    @cached_property
    def by_name(self) -> dict[str, dict[str, list[File]]]:
        """For images/ and masks/, the pictures there by the name that makes a pair."""
        grouped: dict[str, dict[str, list[File]]] = {IMAGES: {}, MASKS: {}}
        for file in self.of_kind(Kind.PICTURE):
            grouped[file.folder].setdefault(file.name, []).append(file)
        return grouped

    @cached_property
    def pairs(self) -> list[Couple]:
        """Names with exactly one image and one mask that both decode, by name."""
        images, masks = self.by_name[IMAGES], self.by_name[MASKS]
        complete = []
        for name in sorted(images.keys() & masks.keys()):
            if len(images[name]) == len(masks[name]) == 1:
                image, mask = (self.inspected[files[name][0].path] for files in (images, masks))
                if isinstance(image, ImageFacts) and isinstance(mask, MaskFacts):
                    complete.append(Couple(image, mask))
        return complete

    @cached_property
    def accepted_namesakes(self) -> dict[str, Pair]:
        """Accepted pairs of the same names as pairs of the drop, by name."""
        return self.accepted.named(pair.image.file.name for pair in self.pairs)

    @cached_property
    def new_pairs(self) -> list[Couple]:
        """Of `pairs`, those that are not accepted already under their name with the same content."""
        return [pair for pair in self.pairs if not _is(self.accepted_namesakes.get(pair.image.file.name), pair)]

    def stand_ins(self, folder: str) -> set[str]:
        """Names for which a picture lies in `folder`, be it one that is refused for a reason of its own."""
        return {file.name for file in self.files if file.folder == folder and file.suffix in PICTURES}


def _is(accepted: Pair | None, pair: Couple) -> bool:
    contents = (pair.image.header.sha256, pair.mask.header.sha256)
    return accepted is not None and (accepted.image_sha256, accepted.mask_sha256) == contents
