"""Pairs of picture and mask, and the manifest: one row a pair, a Parquet file a drop.

Content is the key. A pair's id is the hash of its two files' bytes, so the same content is the same pair whatever it is
called and whenever it comes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from wms_ml.errors import DataError
from wms_ml.files import whole
from wms_ml.measures import Measures

SPLITS: Final = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Measures):
    """One row of the manifest: what was measured, and where the pair belongs.

    Attributes:
        pair_id: hex SHA-256 over the two files' hashes.
        split: `train`, `validation` or `test`.
        drop: id of the drop that brought it.
        dropped_at: when that drop was complete, ISO 8601 in UTC; empty when nobody can tell.
        dropped_by: who dropped it; empty when nobody can tell.
    """

    pair_id: str
    split: str
    drop: str
    dropped_at: str = ""
    dropped_by: str = ""


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
        # No threads: one of Arrow's that still holds a Python buffer when the interpreter ends aborts it (arrow#34314).
        file = pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source, pre_buffer=False)
        table = file.read(SCHEMA.names, use_threads=False).cast(SCHEMA)
    except (OSError, ValueError, pa.ArrowException) as error:
        name = "manifest" if isinstance(source, bytes) else str(source)
        raise DataError(f"{name} is not a readable manifest: {error}") from error
    return [Pair(**row) for row in table.to_pylist()]


def data_version(pairs: Iterable[Pair]) -> str:
    """Version of a data set: 12 hex digits over names, contents and sides, independent of order."""
    lines = sorted(f"{pair.name} {pair.pair_id} {pair.split}" for pair in pairs)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
