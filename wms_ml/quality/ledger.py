"""Readings that were made before, on disk: bytes that were decoded once are not decoded again.

It is only a cache: it may be deleted at any time, and a damaged one is replaced by an empty one. Any number of
processes may use it at once, and one that is killed while it writes leaves what was there before.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

from wms_ml.errors import DataError
from wms_ml.quality import shape
from wms_ml.quality.inspection import Content, Damage, ImageReading, MaskReading, Measuring, Reading, Role

_log = logging.getLogger(__name__)

_KINDS: Final = {kind.__name__: kind for kind in (Damage, ImageReading, MaskReading)}
_TABLE: Final = """
create table if not exists readings_1 (
    sha256 text, role text, variant text, kind text, reading text, primary key (sha256, role, variant)
) without rowid
"""
_FIND: Final = """
select sha256, role, kind, reading from readings_1
where sha256 in (select value from json_each(?)) and variant = ?
"""
_PATIENCE: Final = 60.0
"""Seconds to wait for another process that writes."""

_Result = TypeVar("_Result")


class Ledger:
    """Readings by content, in an SQLite file that is made when it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, contents: Collection[Content], measuring: Measuring) -> dict[Content, Reading]:
        """Readings of these contents that were made in this way, as far as there are any.

        Raises:
            DataError: the file cannot be read or made.
        """
        return self._recovering(lambda: self._find(contents, measuring))

    def add(self, readings: Mapping[Content, Reading], measuring: Measuring) -> None:
        """Keep readings, all of them or none.

        Raises:
            DataError: the file cannot be written.
        """
        rows = [
            (*content, _variant(measuring), type(reading).__name__, json.dumps(asdict(reading)))
            for content, reading in readings.items()
        ]
        self._recovering(lambda: self._add(rows))

    def _find(self, contents: Collection[Content], measuring: Measuring) -> dict[Content, Reading]:
        digests = json.dumps(sorted({content.sha256 for content in contents}))
        with self._open() as database:
            rows = database.execute(_FIND, [digests, _variant(measuring)])
            found = {Content(sha256, Role(role)): _read(kind, text) for sha256, role, kind, text in rows}
        return {content: found[content] for content in contents if content in found}

    def _add(self, rows: Sequence[tuple[str, ...]]) -> None:
        with self._open() as database:
            database.executemany("insert or replace into readings_1 values (?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The database within one transaction."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_PATIENCE)) as database, database:
            database.execute(_TABLE)
            yield database

    def _recovering(self, work: Callable[[], _Result]) -> _Result:
        try:
            try:
                return work()
            except (sqlite3.DatabaseError, ValueError) as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                _log.warning("%s is damaged (%s): it is a cache, an empty one takes its place", self._path, error)
                for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                    path.unlink(missing_ok=True)
                return work()
        except (sqlite3.OperationalError, OSError) as error:
            remedy = "make room and make it writable, or delete it: it is only a cache"
            raise DataError(f"{self._path} cannot be used ({error}): {remedy}") from error


def _variant(measuring: Measuring) -> str:
    return f"{measuring.measured}-{measuring.max_pixels}"


def _read(kind: str, text: str) -> Reading:
    if kind not in _KINDS:
        raise ValueError(f"a reading of the unknown kind {kind}")
    reading: Reading = shape.read(_KINDS[kind], json.loads(text), kind)
    return reading
