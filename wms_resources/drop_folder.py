"""A folder on somebody's machine as a drop: which files belong to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wms_ml.errors import DropError, EmptyDropError

FOLDERS: Final = ("images", "masks")


def drop_files(folder: Path) -> dict[str, Path]:
    """Files of a drop by their path in it, such as `images/x.jpg`; hidden files are left out.

    Raises:
        DropError: no such folder, or it has neither images/ nor masks/.
        EmptyDropError: no file in them.
    """
    if not folder.is_dir():
        raise DropError(f"no folder {folder}")
    if not any((folder / name).is_dir() for name in FOLDERS):
        raise DropError(
            f"{folder} is not a drop: it needs a folder images/ and a folder masks/ with files of the same names"
        )
    files = {
        path.relative_to(folder).as_posix(): path
        for name in FOLDERS
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    if not files:
        raise EmptyDropError(f"{folder} is empty: put pictures into images/ and their masks into masks/")
    return files


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
