"""Pairs of picture and mask, and the manifest: one row a pair, a Parquet file a drop.

Content is the key. A pair's id is the hash of its two files' bytes, so the same content is the same pair whatever it is
called and whenever it comes.
"""

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from wms_ml.errors import DataError
from wms_ml.files import whole

SPLITS: Final = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of the manifest.

    Attributes:
        pair_id: hex SHA-256 over the two files' hashes.
        name: the stem that image and mask share; unique in a data set.
        image: path below the data set's folder, `images/NAME.jpg`.
        mask: path below the data set's folder, `masks/NAME.png`.
        image_sha256: hex SHA-256 of the image's bytes.
        mask_sha256: hex SHA-256 of the mask's bytes.
        width: pixels, upright.
        height: pixels, upright.
        orientation: EXIF orientation as stored, 1 to 8.
        coverage: share of the picture inside the mask, 0 to 1.
        brightness: mean grey value, 0 to 255.
        sharpness: variance of the Laplacian of the grey picture at a fixed scale.
        drop: id of the drop that brought it.
        split: `train`, `validation` or `test`.
    """

    pair_id: str
    name: str
    image: str
    mask: str
    image_sha256: str
    mask_sha256: str
    width: int
    height: int
    orientation: int
    coverage: float
    brightness: float
    sharpness: float
    drop: str
    split: str


SCHEMA: Final = pa.schema(
    [
        (field.name, {str: pa.string(), int: pa.int32(), float: pa.float64()}[field.type])  # type: ignore[index]
        for field in fields(Pair)
    ]
)


def pair_id(image_sha256: str, mask_sha256: str) -> str:
    """Id of the pair with these contents."""
    return hashlib.sha256(f"{image_sha256}:{mask_sha256}".encode()).hexdigest()


def write_manifest(pairs: Sequence[Pair], path: Path) -> None:
    """Write rows as Parquet, sorted by name; the same rows give the same bytes. Whole or not at all."""
    rows = [asdict(pair) for pair in sorted(pairs, key=lambda pair: pair.name)]
    with whole(path) as part:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), part)


def read_manifest(source: Path | bytes) -> list[Pair]:
    """Rows of a manifest file or of its bytes.

    Raises:
        DataError: it is missing or not a manifest.
    """
    try:
        table = pq.read_table(io.BytesIO(source) if isinstance(source, bytes) else source, schema=SCHEMA)
    except (OSError, pa.ArrowException) as error:
        name = "manifest" if isinstance(source, bytes) else str(source)
        raise DataError(f"{name} is not a readable manifest: {error}") from error
    return [Pair(**row) for row in table.to_pylist()]


def data_version(pairs: Iterable[Pair]) -> str:
    """Version of a data set: 12 hex digits over names, contents and sides, independent of order."""
    lines = sorted(f"{pair.name} {pair.pair_id} {pair.split}" for pair in pairs)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
