"""Small pictures for the reports: what a finding is about, to be seen and not only read.

The check decodes strangers' files under limits of memory and time; here there are none. So only files are opened
that it got through: those of whole pairs, and others that no error about the file itself names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image

from wms_ml.arrays import SUFFIXES, open_header, orientation, to_grey, to_rgb, turn_upright
from wms_ml.errors import PictureError
from wms_ml.measures import Measures
from wms_ml.quality.listing import IMAGES, MASKS
from wms_ml.quality.report import Finding, Report
from wms_ml.quality.thresholds import MAX_BYTES
from wms_ml.render import data_uri, overlay

_PER_FINDING: Final = 4
_ABOUT_PARTNERS: Final = frozenset(
    {"image_without_mask", "mask_without_image", "name_twice", "name_alike", "name_taken", "same_content"}
)
"""Errors that do not doubt the file itself; a file with any other is shown only as part of a whole pair."""
_OUTLINED: Final = "image, window outlined"


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with its file's name; `uri` is a `data:` address, so that a page needs no other file.

    Attributes:
        name: path below the drop's folder.
        shows: what is to be seen, a few words.
        uri: the picture itself, JPEG.
        width: pixels.
        height: pixels.
    """

    name: str
    shows: str
    uri: str
    width: int
    height: int


class Gallery:
    """Pictures of one drop, none larger than `edge` pixels on its longer side."""

    def __init__(self, report: Report, folder: Path, edge: int = 280) -> None:
        self._pairs = {pair.name: pair for pair in report.pairs}
        doubted = {path for finding in report.errors if finding.rule not in _ABOUT_PARTNERS for path in finding.files}
        self._closed = doubted - {path for pair in report.pairs for path in (pair.image, pair.mask)}
        self._folder = folder
        self._edge = edge

    def of_finding(self, finding: Finding) -> list[Figure]:
        """The pictures that a finding names, as far as they may be opened: at most 4, pairs with the mask outlined."""
        shown: dict[str, Figure] = {}
        for path in finding.files:
            for figure in self._of_path(path):
                shown.setdefault(figure.name, figure)
            if len(shown) >= _PER_FINDING:
                break
        return list(shown.values())[:_PER_FINDING]

    def of_pair(self, pair: Measures) -> list[Figure]:
        """A pair with its mask outlined; nothing when its files are gone."""
        image, mask = self._open(pair.image), self._open(pair.mask)
        if image is None:
            return []
        if mask is None or mask[1] != image[1]:
            return [self._figure(pair.image, "image", overlay(to_rgb(image[0]), edge=self._edge))]
        outlined = overlay(to_rgb(image[0]), truth=to_grey(mask[0]) >= 128, edge=self._edge)
        return [self._figure(pair.image, _OUTLINED, outlined)]

    def _of_path(self, path: str) -> Iterator[Figure]:
        pair = self._pairs.get(PurePosixPath(path).stem)
        if pair is not None and path in (pair.image, pair.mask):
            yield from self.of_pair(pair)
        if pair is None or path != pair.image:
            opened = self._open(path)
            if opened is not None:
                shows = "mask" if path.startswith(f"{MASKS}/") else "image"
                yield self._figure(path, shows, overlay(to_rgb(opened[0]), edge=self._edge))

    def _figure(self, path: str, shows: str, picture: Image.Image) -> Figure:
        return Figure(path, shows, data_uri(picture), picture.width, picture.height)

    def _open(self, path: str) -> tuple[Image.Image, tuple[int, int]] | None:
        """The upright picture at `path`, maybe at a fraction of its size, and its full size; None if not to be shown.

        A missing or changed file is a finding of its own, or will be: here it is only a picture less.
        """
        parts = PurePosixPath(path).parts
        source = self._folder.joinpath(*parts)
        inside = len(parts) == 2 and parts[0] in (IMAGES, MASKS) and source.suffix.lower() in SUFFIXES
        if not inside or path in self._closed or source.is_symlink() or not source.is_file():
            return None
        if source.stat().st_size > MAX_BYTES:
            return None
        try:
            stored = open_header(source.read_bytes())
            width, height = stored.size
            size = (height, width) if orientation(stored) >= 5 else (width, height)
            stored.draft(None, (self._edge, self._edge))
            return turn_upright(stored), size
        except PictureError:
            return None
