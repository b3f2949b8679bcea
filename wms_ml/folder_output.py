"""The folder that predictions go to: one program at a time, no half file in it, nothing of anybody else's overwritten.

Every file is written aside, in `.parts/`, and moved to its place whole. What a killed program left there is swept away
by the next one.
"""

import errno
import itertools
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from PIL import Image

from wms_ml.errors import DataError, PictureError
from wms_ml.folder_pictures import RESULTS

MASKS: Final = "masks"
OVERLAYS: Final = "overlays"
CROPS: Final = "crops"
KINDS: Final = (MASKS, OVERLAYS, CROPS)
"""What is drawn of a picture, each kind in a folder of its own."""

_SUFFIXES: Final = {MASKS: ".png", OVERLAYS: ".jpg", CROPS: ".jpg"}
_SAVED: Final[dict[str, dict[str, Any]]] = {
    MASKS: {"format": "PNG", "compress_type": zlib.Z_RLE},
    OVERLAYS: {"format": "JPEG", "quality": 88},
    CROPS: {"format": "JPEG", "quality": 92},
}
_BAD_NAMES: Final = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
"""What keeps the files of one picture from their place, and of no other."""
_LOCK: Final = ".lock"
_PARTS: Final = ".parts"


class OutputFolder:
    """An output folder that is ours while the block runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts = path / _PARTS
        self._numbers = itertools.count()  # threads may ask it at once

    @contextmanager
    def claimed(self) -> Iterator["OutputFolder"]:
        """Make the folder and keep others out.

        Raises:
            DataError: something else lies there, it cannot be made, or another program is at work in it.
        """
        self._refuse_foreign()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / _LOCK, timeout=0):
                shutil.rmtree(self._parts, ignore_errors=True)
                self._parts.mkdir()
                yield self
                shutil.rmtree(self._parts)
        except Timeout as error:
            raise DataError(f"another `wms predict` is at work in {self.path}: wait for its end") from error
        except OSError as error:
            remedy = "make room or make it writable, or choose another place with --out; what is done stays done"
            raise DataError(f"{self.path} cannot be written ({error.strerror or error}): {remedy}") from error

    @contextmanager
    def writing(self, file: str) -> Iterator[Path]:
        """A path to write to that becomes `file`, a path below the folder, at the end of the block."""
        part, target = self._parts / str(next(self._numbers)), self.path / file
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(target)

    def put(self, kind: str, picture: str, drawn: Image.Image | None) -> str:
        """Write what was drawn of a picture, or take away what is there when nothing was.

        Returns:
            its path below the folder, or "".

        Raises:
            PictureError: `name`: the picture's name is none that a file here can have.
            OSError: the disk is full, or the folder cannot be written.
        """
        file = _place(kind, picture)
        if drawn is None:
            if self.has(kind, picture):
                (self.path / file).unlink()
            return ""
        try:
            with self.writing(file) as part:
                drawn.save(part, **_SAVED[kind])
        except OSError as error:
            if error.errno in _BAD_NAMES:
                raise PictureError("name", f"{file} cannot be made ({error.strerror}): rename the picture") from error
            raise
        return file

    def has(self, kind: str, picture: str) -> bool:
        """Whether a picture's file of a kind is there and not empty."""
        try:
            found = (self.path / _place(kind, picture)).stat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size > 0

    def _refuse_foreign(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise DataError(f"{self.path} is a file: name a folder with --out")
        if not self.path.is_dir() or (self.path / RESULTS).is_file():
            return
        if any(each.name not in (_LOCK, _PARTS) for each in self.path.iterdir()):
            raise DataError(f"{self.path} holds other things: give --out a new folder. Nothing there was changed.")


def _place(kind: str, picture: str) -> str:
    """Where a picture's file lies: its whole name is kept, so that `a/x.jpg` and `a/x.png` get files of their own."""
    return f"{kind}/{picture}{_SUFFIXES[kind]}"
