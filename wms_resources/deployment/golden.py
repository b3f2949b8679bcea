"""Golden pictures: a few with a known answer, which every new service has to find before people are sent to it.

Four rendered ones unless a folder names others. Two of them are stored turned, as phones do it.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from wms_ml.arrays import BoolMask, image_of, mask_of, read_mask
from wms_ml.errors import DropError, PictureError, SettingsError
from wms_ml.quality.listing import printable
from wms_ml.samples import render
from wms_resources.drop_folder import drop_files

FLOOR: Final = 0.5
"""Mean IoU that a service must reach: far below any model worth promoting, far above nonsense."""

_SEED: Final = 8
_RENDERED: Final = (7, 1, 6, 8)
"""Numbers of samples of one series; the first and the last lie turned in their files."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldenPicture:
    """A picture and its answer.

    Attributes:
        name: file name of the picture.
        image: content of that file.
        answer: bool (height, width) of the upright picture: True inside the reading window.
    """

    name: str
    image: bytes
    answer: BoolMask


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """What a service is proved with.

    Attributes:
        pictures: one at least.
        floor: mean IoU over them that it must reach, 0 to 1.
        key: what the service wants to be shown; empty: nothing.
    """

    pictures: tuple[GoldenPicture, ...]
    floor: float = FLOOR
    key: str = field(default="", repr=False)


def golden(folder: str = "", floor: float = FLOOR, key: str = "") -> Golden:
    """The golden pictures of a folder with images/ and masks/, in the order of their names; rendered ones without.

    Raises:
        SettingsError: the folder cannot be used; the message names the file.
    """
    return Golden(_in_folder(Path(folder)) if folder else _rendered(), floor, key)


def iou(found: BoolMask, answer: BoolMask) -> float:
    """|A∩B| / |A∪B| of two masks of one size, 0 to 1 (Jaccard 1912); two empty ones agree."""
    together = np.count_nonzero(found | answer)
    return float(np.count_nonzero(found & answer) / together) if together else 1.0


@cache  # a deployment asks for them twice, and drawing them takes a fifth of a second
def _rendered() -> tuple[GoldenPicture, ...]:
    samples = [render(_SEED, index) for index in _RENDERED]
    return tuple(GoldenPicture(f"{each.name}.jpg", each.image_jpeg, mask_of(each.mask_png)) for each in samples)


def _in_folder(folder: Path) -> tuple[GoldenPicture, ...]:
    try:
        files = drop_files(folder)
    except DropError as error:
        raise SettingsError(f"WMS_GOLDEN: {error}") from error
    images, masks = (_by_name(files, part) for part in ("images", "masks"))
    alone = sorted(images.keys() ^ masks.keys())
    if alone:
        path = images.get(alone[0]) or masks[alone[0]]
        raise SettingsError(f"WMS_GOLDEN: {path} has no partner: images/X.jpg goes with masks/X.png (or .jpg)")
    return tuple(_pair(images[name], masks[name]) for name in sorted(images))


def _by_name(files: dict[str, Path], part: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in (source for name, source in files.items() if name.startswith(f"{part}/")):
        if path.stem in found:
            raise SettingsError(f"WMS_GOLDEN: {found[path.stem]} and {path} share a name: remove one of them")
        found[path.stem] = path
    return found


def _pair(image: Path, mask: Path) -> GoldenPicture:
    try:
        content = image.read_bytes()
        size = image_of(content).size
        answer = read_mask(mask)
    except (PictureError, OSError) as error:
        raise SettingsError(f"WMS_GOLDEN: {image} with {mask.name} cannot be read: {error}") from error
    if answer.shape != (size[1], size[0]):
        there = f"{answer.shape[1]} x {answer.shape[0]}"
        raise SettingsError(f"WMS_GOLDEN: {mask} has {there} pixels, its picture {size[0]} x {size[1]}, turned upright")
    if not answer.any():
        raise SettingsError(f"WMS_GOLDEN: {mask} marks nothing: a known answer has a reading window")
    return GoldenPicture(printable(image.name), content, answer)
