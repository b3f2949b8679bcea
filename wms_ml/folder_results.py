"""What was found in each picture of a folder, kept so that a second call does only what is new or changed.

An SQLite file beside the masks. A row is written after its files are whole, so a row that is there can be believed;
rows of the last moment may be lost to a kill, and their pictures are then predicted again.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from wms_ml.errors import DataError
from wms_ml.folder_pictures import RESULTS, Picture

_TABLES: Final = """
create table if not exists made_from (source text);
create table if not exists pictures (name text primary key, key text, row text) without rowid;
"""
_COMMIT: Final = 0.5
"""Seconds between commits: each costs a disk's flush, what was not committed costs predicting again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is known of one picture; pixels are those of the upright picture, (0, 0) is its top left corner.

    Attributes:
        picture: its path below the folder that was predicted.
        sha256: of the file's content; empty when it could not be read.
        width: pixels; None, as everything down to `crop`, for a picture with an error.
        height: pixels.
        found: whether there is a window.
        confidence: mean probability inside the mask, 0.5 to 1; 0 when nothing was found.
        coverage: share of the picture inside the mask, 0 to 1.
        box: smallest rotated rectangle around the window: center, width, height, angle, corners.
        polygon: rim of the window, clockwise, [x, y] each.
        mask: path below the output folder.
        overlay: the same; empty when none was asked for.
        crop: the same.
        error: code for programs; empty when all went well.
        message: the error as a sentence.
        model_version: in the registry; empty for a file that is no registered one.
        model_digest: `sha256:...` of the model file.
    """

    picture: str
    sha256: str
    width: int | None = None
    height: int | None = None
    found: bool | None = None
    confidence: float | None = None
    coverage: float | None = None
    box: dict[str, Any] | None = None
    polygon: Sequence[Sequence[float]] = ()
    mask: str = ""
    overlay: str = ""
    crop: str = ""
    error: str = ""
    message: str = ""
    model_version: str
    model_digest: str


class Results:
    """Rows by picture, in an output folder that holds `source`'s and no other folder's."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._committed = time.monotonic()

    @staticmethod
    @contextmanager
    def opened(folder: Path, source: Path, again: bool) -> Iterator["Results"]:
        """The results in `folder`; with `again` there are none yet, whatever was there.

        Raises:
            DataError: they are another source's, damaged, or the disk is full.
        """
        file = folder / RESULTS
        try:
            database = sqlite3.connect(file)
            try:
                database.executescript(_TABLES)
                _bind(database, file, source)
                if again:
                    database.execute("delete from pictures")
                results = Results(database)
                try:
                    yield results
                finally:
                    database.commit()
            finally:
                database.close()
        except sqlite3.Error as error:
            remedy = "make room; if it is damaged, choose another place with --out"
            raise DataError(f"{file} cannot be used ({error}): {remedy}") from error

    def find(self, picture: str) -> tuple[str, Row] | None:
        """A picture's row, with the key it was put under."""
        found = self._database.execute("select key, row from pictures where name = ?", [picture]).fetchone()
        return (found[0], Row(**json.loads(found[1]))) if found else None

    def rows(self, pictures: Sequence[Picture]) -> Iterator[Row]:
        """The rows of these pictures, one by one, as far as there are any."""
        for picture in pictures:
            if found := self.find(picture.name):
                yield found[1]

    def put(self, key: str, row: Row) -> None:
        """Keep a row in place of what was known of its picture."""
        text = json.dumps(asdict(row))
        self._database.execute("insert or replace into pictures values (?, ?, ?)", [row.picture, key, text])
        if time.monotonic() - self._committed > _COMMIT:
            self._database.commit()
            self._committed = time.monotonic()

    def of_other_models(self, digest: str) -> int:
        """How many pictures were predicted by another model than this."""
        other = "select count(*) from pictures where json_extract(row, '$.model_digest') <> ?"
        return int(self._database.execute(other, [digest]).fetchone()[0])


def _bind(database: sqlite3.Connection, file: Path, source: Path) -> None:
    """Make these results the source's, or refuse: pictures of two folders may have the same names."""
    bound = database.execute("select source from made_from").fetchone()
    if bound is None:
        database.execute("insert into made_from values (?)", [str(source)])
    elif bound[0] != str(source):
        raise DataError(f"{file.parent} holds what was found in {bound[0]}: choose another folder with --out")
