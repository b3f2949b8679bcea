"""What lies in a drop's folder, without opening any file: names, and what kind of thing each is.

Names are as hostile as contents: links lead out of the drop, control characters break terminals and pages. Every
entry gets a printable path here, and only plain files with plain names go on to be opened.
"""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from wms_ml.arrays import SUFFIXES
from wms_ml.errors import DropError, EmptyDropError

IMAGES: Final = "images"
MASKS: Final = "masks"
LAYOUT: Final = "a drop is a folder with images/NAME.jpg and masks/NAME.png (or .jpg), one mask for each image"

_JUNK: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})
"""What desktops leave behind by themselves, in lower case."""
_NAME_BYTES: Final = 200
"""File systems end at 255 bytes; tools append to names."""
_TEXT_TURNERS: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Invisible characters that make a name read as another."""


class Kind(StrEnum):
    """What an entry is, as far as its name and its directory entry tell."""

    PICTURE = "picture"
    UNSAFE = "unsafe"
    LINK = "link"
    FOLDER = "folder"
    SPECIAL = "special"
    STRAY = "stray"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class File:
    """An entry of images/ or masks/, or one that lies beside them.

    Attributes:
        path: `images/NAME.jpg`, printable: control characters are written out; `NAME/` of a folder beside them.
        folder: `images` or `masks`; empty for what lies outside.
        name: NAME, the stem that makes a pair; printable.
        suffix: the ending in lower case with its dot; empty without one.
        kind: only a PICTURE may be opened.
        source: where it lies.
    """

    path: str
    folder: str
    name: str
    suffix: str
    kind: Kind
    source: Path


def list_drop(folder: Path) -> tuple[File, ...]:
    """Entries of `folder`/images and `folder`/masks by path, and what lies beside these two, as OUTSIDE.

    What desktops leave behind is passed over; nothing is looked for in other folders.

    Raises:
        DropError: `folder` or one of the two is missing, not a folder, or a link.
        EmptyDropError: there is nothing in them.
    """
    if not folder.is_dir():
        raise DropError(f"there is no folder {folder}: {LAYOUT}")
    files = [file for part in (IMAGES, MASKS) for file in _entries(folder, part)]
    if not files:
        raise EmptyDropError(f"{folder}: images/ and masks/ are both empty; {LAYOUT}")
    return tuple(sorted([*files, *_outside(folder)], key=lambda file: file.path))


def _outside(folder: Path) -> Iterator[File]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in (IMAGES, MASKS) or is_junk(entry.name):
                continue
            shown = Path(printable(entry.name))
            path = f"{shown}/" if entry.is_dir() else str(shown)
            yield File(path, "", shown.stem, shown.suffix.lower(), Kind.OUTSIDE, folder / entry.name)


def is_junk(name: str) -> bool:
    """Whether a desktop left this behind by itself."""
    return name.lower() in _JUNK or name.startswith("._")


def _entries(folder: Path, part: str) -> Iterator[File]:
    inside = folder / part
    if inside.is_symlink():
        raise DropError(f"{inside} is a link, and links are not followed: put a real folder there; {LAYOUT}")
    if not inside.is_dir():
        raise DropError(f"{folder} has no folder {part}/: {LAYOUT}")
    with os.scandir(inside) as entries:
        for entry in entries:
            if is_junk(entry.name):
                continue
            shown = Path(printable(entry.name))
            source = inside / entry.name
            yield File(f"{part}/{shown}", part, shown.stem, shown.suffix.lower(), _kind(entry), source)


def _kind(entry: "os.DirEntry[str]") -> Kind:
    if entry.is_symlink():
        return Kind.LINK
    if unsafe_reason(entry.name):
        return Kind.UNSAFE
    if entry.is_dir():
        return Kind.FOLDER
    if not entry.is_file():
        return Kind.SPECIAL
    return Kind.PICTURE if Path(entry.name).suffix.lower() in SUFFIXES else Kind.STRAY


def unsafe_reason(name: str) -> str | None:
    """Why a file name cannot travel through git, the object store, terminals and pages; None when it can."""
    if name.startswith("."):
        return "the name starts with a dot, which hides the file"
    if name != name.strip():
        return "the name begins or ends with a space"
    if len(os.fsencode(name)) > _NAME_BYTES:
        return f"the name is longer than {_NAME_BYTES} bytes"
    if any(map(_is_unsafe, name)):
        return "the name has invisible characters, a backslash, or bytes that are no UTF-8"
    return None


def _is_unsafe(character: str) -> bool:
    # A surrogate stands for a byte that is no UTF-8; a backslash separates folders on Windows.
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Zl", "Zp") or character in _TEXT_TURNERS or character == "\\"


def printable(name: str) -> str:
    """`name` with every unsafe character written out, as `\\x0a`."""
    return "".join(f"\\x{ord(each):02x}" if _is_unsafe(each) else each for each in name)


def spelling(name: str) -> str:
    """The same for names that some file system takes for one: capitals and forms of accents do not count."""
    return unicodedata.normalize("NFC", name.casefold())
