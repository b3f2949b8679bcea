"""A data set as programs get it: a folder with images/, masks/ and manifest.parquet."""

import hashlib
from pathlib import Path

from PIL import Image

from wms_ml.arrays import SUFFIXES, open_header, orientation
from wms_ml.errors import DataError
from wms_ml.pairs import Pair, pair_id, read_manifest
from wms_ml.split import side

MANIFEST = "manifest.parquet"


def load_dataset(folder: Path) -> list[Pair]:
    """Pairs of the data set in `folder`, sorted by name.

    A folder without a manifest is taken as it is: pictures and masks paired by name, split by content.

    Raises:
        DataError: no such folder, or no pairs in it.
    """
    if (folder / MANIFEST).exists():
        pairs = read_manifest(folder / MANIFEST)
    elif (folder / "images").is_dir() and (folder / "masks").is_dir():
        pairs = _pair_up(folder)
    else:
        raise DataError(f"{folder} is no data set: it needs images/ and masks/ with files of the same names")
    if not pairs:
        raise DataError(f"no pairs in {folder}: images/X.jpg goes with masks/X.png (or .jpg)")
    return sorted(pairs, key=lambda pair: pair.name)


def _pair_up(folder: Path) -> list[Pair]:
    masks = _pictures(folder / "masks")
    images = _pictures(folder / "images")
    return [_row(folder, name, images[name], masks[name]) for name in sorted(images.keys() & masks.keys())]


def _pictures(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def _row(folder: Path, name: str, image: Path, mask: Path) -> Pair:
    content = image.read_bytes()
    image_sha256, mask_sha256 = (hashlib.sha256(data).hexdigest() for data in (content, mask.read_bytes()))
    header = open_header(content)
    turn = orientation(header)
    width, height = _upright_size(header, turn)
    return Pair(
        pair_id=pair_id(image_sha256, mask_sha256),
        name=name,
        image=str(image.relative_to(folder)),
        mask=str(mask.relative_to(folder)),
        image_sha256=image_sha256,
        mask_sha256=mask_sha256,
        width=width,
        height=height,
        orientation=turn,
        coverage=0.0,
        brightness=0.0,
        sharpness=0.0,
        drop="",
        split=side(image_sha256),
    )


def _upright_size(header: Image.Image, turn: int) -> tuple[int, int]:
    return (header.height, header.width) if turn >= 5 else header.size
