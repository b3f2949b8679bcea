"""Which pictures lie in a folder, without opening any: names first, so that a hundred thousand cost little memory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from wms_ml.arrays import SUFFIXES
from wms_ml.errors import DataError
from wms_ml.quality.listing import is_junk, printable

RESULTS: Final = "results.sqlite"
"""The file by which a folder of results is known."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to predict.

    Attributes:
        name: path below the folder that was asked for, with `/`; printable, and no two pictures share one.
        path: where it lies.
    """

    name: str
    path: Path


def root_of(source: Path) -> Path:
    """The folder that names of pictures begin at: `source` itself, or the folder of the one picture that it is."""
    return source.absolute().parent if source.is_file() else source.absolute()


def pictures_in(source: Path, recursive: bool = False) -> list[Picture]:
    """The pictures of a folder, by name, or the one picture that `source` is.

    Hidden files and folders are passed over, as are links to folders and folders of results.

    Raises:
        DataError: there is none, or a folder cannot be listed.
    """
    if source.is_file():
        return [Picture(printable(source.name), source)]
    if not source.is_dir():
        raise DataError(f"no file or folder {source}")
    found = sorted(_below(source, recursive), key=lambda picture: picture.name)
    if not found:
        remedy = "" if recursive else "; --recursive looks into its folders"
        raise DataError(f"no pictures in {source} (endings: {', '.join(SUFFIXES)}){remedy}")
    return found


def _below(source: Path, recursive: bool) -> Iterator[Picture]:
    for folder, folders, files in os.walk(source, onerror=_refuse):
        if RESULTS in files and Path(folder) != source:
            folders.clear()
            continue
        folders[:] = [each for each in folders if recursive and not each.startswith(".")]
        below = Path(folder).relative_to(source)
        for file in files:
            if _is_picture(file) and (path := Path(folder, file)).is_file():
                yield Picture(printable((below / file).as_posix()), path)


def _is_picture(file: str) -> bool:
    return not (file.startswith(".") or is_junk(file)) and Path(file).suffix.lower() in SUFFIXES


def _refuse(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename} cannot be listed ({error.strerror}): allow reading it, or move it away")
