"""A folder on somebody's machine as a drop: which files belong to it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from wms_ml.errors import DropError, EmptyDropError
from wms_ml.quality.listing import is_junk, printable

FOLDERS: Final = ("images", "masks")


def drop_files(folder: Path) -> dict[str, Path]:
    """Files of a drop by their path in it, such as `images/x.jpg`; what desktops leave behind is passed over.

    Nothing else is: what is no picture travels too, and the checks say so.

    Raises:
        DropError: no such folder, it has neither images/ nor masks/, or an entry of them cannot travel.
        EmptyDropError: no file in them.
    """
    if not folder.is_dir():
        raise DropError(f"no folder {folder}")
    if not any((folder / name).is_dir() for name in FOLDERS):
        raise DropError(
            f"{folder} is not a drop: it needs a folder images/ and a folder masks/ with files of the same names"
        )
    paths = [path for name in FOLDERS for path in _walk(folder / name)]
    if not paths:
        raise EmptyDropError(f"{folder} is empty: put pictures into images/ and their masks into masks/")
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, in order of name."""
    if folder.is_symlink():
        raise DropError(f"{folder} is a link, and links are not followed: put the folder itself in its place")
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if is_junk(path.name):
            continue
        shown = printable(str(path))
        if path.is_symlink():
            raise DropError(f"{shown} is a link, and links are not followed: put the file itself in its place")
        if path.is_dir():
            yield from _walk(path)
        elif not path.is_file():
            raise DropError(f"{shown} is a device, pipe or socket, no file: remove it")
        elif printable(path.name) != path.name:
            raise DropError(f"{shown}: the name has characters that cannot travel: rename it, and its partner")
        else:
            yield path


def first_pairs(files: Mapping[str, Path], count: int) -> dict[str, Path]:
    """The files of the first `count` names (in alphabetical order) that have both an image and a mask.

    Raises:
        EmptyDropError: no name has both.
    """
    images, masks = ({Path(path).stem for path in files if path.startswith(f"{folder}/")} for folder in FOLDERS)
    names = set(sorted(images & masks)[:count])
    if not names:
        raise EmptyDropError("no picture has a mask of the same name: images/X.jpg goes with masks/X.png (or .jpg)")
    return {path: source for path, source in files.items() if Path(path).stem in names}
