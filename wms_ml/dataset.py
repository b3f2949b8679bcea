"""A data set as programs get it: a folder with images/, masks/ and manifest.parquet."""

from pathlib import Path

from wms_ml.catalogue import Accepted
from wms_ml.errors import DataError
from wms_ml.pairs import Pair, read_manifest
from wms_ml.quality.check import check_folder
from wms_ml.quality.report import row_of
from wms_ml.split import assign

MANIFEST = "manifest.parquet"


def load_dataset(folder: Path) -> list[Pair]:
    """Pairs of the data set in `folder`, sorted by name.

    A folder without a manifest is taken as it is: pictures and masks paired by name, split by content.

    Raises:
        DataError: no such folder, no pairs in it, or a file in it is no picture.
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


_UNREADABLE = frozenset({"undecodable", "misnamed", "too_large"})


def _pair_up(folder: Path) -> list[Pair]:
    report = check_folder(folder, folder.name, Accepted())
    broken = [finding for finding in report.errors if finding.rule in _UNREADABLE]
    if broken:
        first = broken[0]
        raise DataError(f"{folder / first.files[0]}: {first.message}. {first.remedy} ({len(broken)} such files)")
    sides = assign(report.pairs, Accepted())
    return [row_of(pair, "", sides[pair.image_sha256]) for pair in report.pairs]
