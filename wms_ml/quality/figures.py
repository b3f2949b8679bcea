"""Small pictures for the report's page: what a finding is about, to be seen and not only read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image

from wms_ml.arrays import SUFFIXES, decode_upright, to_grey, to_rgb
from wms_ml.errors import PictureError
from wms_ml.measures import Measures
from wms_ml.quality.listing import IMAGES, MASKS
from wms_ml.quality.report import Finding
from wms_ml.quality.thresholds import MAX_BYTES
from wms_ml.render import data_uri, overlay

_EDGE: Final = 280
_PER_FINDING: Final = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """A captioned picture; `uri` is a `data:` address, so that a page needs no other file."""

    caption: str
    uri: str


def of_finding(finding: Finding, pairs: Mapping[str, Measures], folder: Path) -> list[Figure]:
    """The pictures that a finding names, as far as they decode: at most 4, pairs with their mask outlined.

    `pairs` are the report's pairs by name, `folder` is the drop's.
    """
    shown: dict[str, Image.Image] = {}
    for path in finding.files:
        for source, picture in _pictures(path, pairs, folder):
            shown.setdefault(source, picture)
        if len(shown) >= _PER_FINDING:
            break
    first = list(shown.items())[:_PER_FINDING]
    return [Figure(PurePosixPath(path).name, data_uri(picture)) for path, picture in first]


def of_pair(pair: Measures, folder: Path) -> list[Figure]:
    """A pair with its mask outlined; nothing when its files are gone."""
    picture = _outlined(pair, folder)
    return [] if picture is None else [Figure(pair.name, data_uri(picture))]


def _pictures(path: str, pairs: Mapping[str, Measures], folder: Path) -> Iterator[tuple[str, Image.Image]]:
    pair = pairs.get(PurePosixPath(path).stem)
    if pair is not None and path in (pair.image, pair.mask):
        outlined = _outlined(pair, folder)
        if outlined is not None:
            yield pair.image, outlined
    if pair is None or path != pair.image:
        picture = _open(folder, path)
        if picture is not None:
            yield path, overlay(picture, edge=_EDGE)


def _outlined(pair: Measures, folder: Path) -> Image.Image | None:
    image, mask = _open(folder, pair.image), _open(folder, pair.mask)
    if image is None:
        return None
    if mask is None or mask.size != image.size:
        return overlay(image, edge=_EDGE)
    return overlay(image, truth=to_grey(mask) >= 128, edge=_EDGE)


def _open(folder: Path, path: str) -> Image.Image | None:
    """The upright RGB picture at `path`; None when there is nothing that could be shown."""
    parts = PurePosixPath(path).parts
    source = folder.joinpath(*parts)
    inside = len(parts) == 2 and parts[0] in (IMAGES, MASKS) and source.suffix.lower() in SUFFIXES
    if not inside or source.is_symlink() or not source.is_file() or source.stat().st_size > MAX_BYTES:
        return None
    try:
        return to_rgb(decode_upright(source.read_bytes()))
    except PictureError:
        # That it does not decode is a finding of its own, on the same page.
        return None
