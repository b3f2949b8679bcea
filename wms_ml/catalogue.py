"""An index over manifests: what is accepted, asked at the cost of the question.

A drop of ten pairs asks whether its names, contents and near-duplicates are among a hundred thousand accepted ones.
Reading all manifests for that would make every drop as expensive as all drops before it, so their rows are put into
an SQLite file once. It holds nothing that git does not hold as well: a file that is damaged is thrown away and filled
again.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from wms_ml.errors import DataError
from wms_ml.hamming import BANDS, bands, distance, probes
from wms_ml.pairs import Pair
from wms_ml.profile import MEASURES, Profile
from wms_ml.quality.listing import spelling

_BANDS: Final = tuple(f"band{number}" for number in range(BANDS))
_INDEXED: Final = ("spelling", "image_sha256", "mask_sha256", *_BANDS)
_FIELDS: Final = tuple(field.name for field in fields(Pair))
_COLUMNS: Final = ("manifest", "spelling", *_BANDS, *_FIELDS)
_ROW: Final = ", ".join(f'"{field}"' for field in _FIELDS)

_VERSION: Final = f"{zlib.crc32(f'1 {_COLUMNS} {[*MEASURES]}'.encode()):08x}"
"""Part of the names of tables: a file may hold those of another version of this program too."""
_MANIFESTS: Final = f"manifests_{_VERSION}"
_PAIRS: Final = f"pairs_{_VERSION}"
_TABLES: Final = "\n".join(
    [
        f"create table if not exists {_PAIRS} (manifest, spelling, {', '.join(_BANDS)}, {_ROW});",
        *(f"create index if not exists {_PAIRS}_{column} on {_PAIRS} ({column});" for column in _INDEXED),
        f"create table if not exists {_MANIFESTS} (id integer primary key, key unique, pairs, profile);",
    ]
)
_EACH: Final = "(select value from json_each(?))"
"""Any number of values as one parameter."""
_PATIENCE: Final = 60.0
"""Seconds to wait for another process that writes."""

_Result = TypeVar("_Result")


class _Source:
    """The file at `path` while it is open, or a database in memory; what it holds stays when the file is removed.

    Raises:
        DataError: the file cannot be used, or is damaged; a damaged one is removed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._database = self._guarded(self._connect)

    def rows(self, sql: str, values: Iterable[str | int]) -> list[tuple[Any, ...]]:
        """What a query with `_EACH` in it finds for these values."""
        return self._guarded(lambda: self._database.execute(sql, (json.dumps([*values]),)).fetchall())

    def ids(self, keys: Iterable[str]) -> dict[str, int]:
        """Ids of the manifests under these keys, as far as there are any."""
        return dict(self.rows(f"select key, id from {_MANIFESTS} where key in {_EACH}", keys))

    def add(self, key: str, pairs: Sequence[Pair]) -> None:
        """Put in one manifest, whole or not at all; nothing when it is there already."""
        self._guarded(lambda: self._add(key, pairs))

    def _add(self, key: str, pairs: Sequence[Pair]) -> None:
        with self._database as database:
            insert = f"insert or ignore into {_MANIFESTS} (key, pairs, profile) values (?, ?, ?)"
            done = database.execute(insert, (key, len(pairs), Profile.of(pairs).to_bytes()))
            if done.rowcount:
                rows = ((done.lastrowid, spelling(pair.name), *bands(pair.phash), *astuple(pair)) for pair in pairs)
                database.executemany(f"insert into {_PAIRS} values ({', '.join('?' * len(_COLUMNS))})", rows)

    def _connect(self) -> sqlite3.Connection:
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path or ":memory:", timeout=_PATIENCE, check_same_thread=False)
        database.executescript(f"pragma cache_size = -65536; pragma synchronous = normal; {_TABLES}")
        return database

    def _guarded(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        except (sqlite3.OperationalError, OSError) as error:
            remedy = "make room and make it writable, or delete it: it is filled again by itself"
            raise DataError(f"{self._path} cannot be used ({error}): {remedy}") from error
        except sqlite3.DatabaseError as error:
            self.remove()
            raise DamagedError(f"{self._path} was damaged and is removed: try again, it fills itself anew") from error

    def remove(self) -> None:
        """Throw the file away, with what a killed process left of a change to it."""
        if self._path:
            for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                path.unlink(missing_ok=True)


class DamagedError(DataError):
    """The file of a catalogue was damaged; it is removed, and the next attempt starts with an empty one."""


class Accepted:
    """What the data set holds already: the pairs of exactly the manifests that were asked for."""

    def __init__(self, source: _Source | None = None, manifests: Iterable[int] = ()) -> None:
        self._source = source
        self._manifests = frozenset(manifests)

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> "Accepted":
        """These pairs, held in memory."""
        catalogue = Catalogue(None)
        catalogue.add("all", tuple(pairs))
        return catalogue.at({"all"})

    def __len__(self) -> int:
        return sum(count for (count,) in self._of_manifests("pairs"))

    def profile(self) -> Profile:
        """How the measures of all pairs are distributed; no row is read for it."""
        return Profile.from_bytes(content for (content,) in self._of_manifests("profile"))

    def named(self, names: Iterable[str]) -> dict[str, Pair]:
        """The pairs of these names, as far as there are any."""
        wanted = set(names)
        found = self._pairs("spelling", map(spelling, wanted))
        return {pair.name: pair for pair in found if pair.name in wanted}

    def spelled(self, names: Iterable[str]) -> dict[str, list[Pair]]:
        """By `listing.spelling`, the pairs whose names are spelled like one of these."""
        grouped: dict[str, list[Pair]] = {}
        for pair in self._pairs("spelling", map(spelling, names)):
            grouped.setdefault(spelling(pair.name), []).append(pair)
        return grouped

    def holding(self, sha256s: Iterable[str]) -> list[Pair]:
        """Pairs whose image or mask has one of these contents, by name."""
        wanted = set(sha256s)
        found = [*self._pairs("image_sha256", wanted), *self._pairs("mask_sha256", wanted)]
        return sorted({pair.name: pair for pair in found}.values(), key=lambda pair: pair.name)

    def near(self, phashes: Iterable[str], bits: int) -> dict[str, list[tuple[int, Pair]]]:
        """For each hash that has any, the pairs whose hash differs from it in at most `bits` bits, nearest first.

        None is missed, and only a small share of all hashes is looked at: see `wms_ml.hamming`.
        """
        found = {phash: self._near(phash, bits) for phash in set(phashes)}
        return {phash: near for phash, near in found.items() if near}

    def _near(self, phash: str, bits: int) -> list[tuple[int, Pair]]:
        candidates: dict[int, str] = {}
        for column, values in zip(_BANDS, probes(phash, bits), strict=True):
            candidates.update(self._rows(f"select rowid, phash from {_PAIRS} where {column} in {_EACH}", values))
        close = [row for row, other in candidates.items() if distance(phash, other) <= bits]
        found = [(distance(phash, pair.phash), pair) for pair in self._pairs("rowid", close)]
        return sorted(found, key=lambda each: (each[0], each[1].name))

    def _pairs(self, column: str, values: Iterable[str | int]) -> list[Pair]:
        rows = self._rows(f"select manifest, {_ROW} from {_PAIRS} where {column} in {_EACH}", values)
        return [Pair(**dict(zip(_FIELDS, row, strict=True))) for manifest, *row in rows if manifest in self._manifests]

    def _of_manifests(self, column: str) -> list[tuple[Any, ...]]:
        return self._rows(f"select {column} from {_MANIFESTS} where id in {_EACH}", self._manifests)

    def _rows(self, sql: str, values: Iterable[str | int]) -> list[tuple[Any, ...]]:
        return self._source.rows(sql, values) if self._source and self._manifests else []


class Catalogue:
    """The index, in the file at `path` or, without one, in memory; any number of processes may use one file,
    each with an object of its own.

    It holds manifests of accepted and of proposed data alike, each under a key that names its content for good, such
    as a git blob id. Whoever asks says which of them count.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._opened: _Source | None = None

    def missing(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that have to be added before `at` can be asked for them.

        Raises:
            DataError: the file cannot be used.
        """
        return set(keys) - self._recovering(lambda source: source.ids(keys)).keys()

    def add(self, key: str, pairs: Sequence[Pair]) -> None:
        """Put in the rows of one manifest; whole or not at all, and only once however often it is added.

        Raises:
            DataError: the file cannot be used.
        """
        self._recovering(lambda source: source.add(key, pairs))

    def at(self, keys: Collection[str]) -> Accepted:
        """The pairs of exactly these manifests; what others add meanwhile does not change it.

        Raises:
            DataError: one of them was not added, or the file cannot be used.
        """
        source = self._source()
        ids = source.ids(keys)
        if absent := sorted(set(keys) - ids.keys()):
            raise DataError(f"{len(absent)} manifests are not in the index, such as {absent[0]}: add them first")
        return Accepted(source, ids.values())

    def _source(self) -> _Source:
        if self._opened is None:
            self._opened = _Source(self._path)
        return self._opened

    def _recovering(self, work: Callable[[_Source], _Result]) -> _Result:
        try:
            return work(self._source())
        except DamagedError:
            self._opened = None
            return work(self._source())
