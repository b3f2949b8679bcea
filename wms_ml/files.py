"""Files that are there whole or not at all, and the hashes that name their content."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wms_ml.errors import DataError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to that becomes `path` at the end of the block; after an error `path` is as it was."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that becomes `path` at the end of the block, unless another process was quicker."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if not path.exists():
            part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file at one stroke."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(path: Path, sha256: str) -> bytes:
    """The content of a data set's file, which is the one that the manifest names.

    Raises:
        DataError: it is missing, unreadable or another.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} is in the manifest but not in the data set, or cannot be read ({error}): "
            "check the version out again"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path} is not the content its manifest names: check the version out again")
    return content


def digest_of(path: Path) -> str:
    """Content hash of a model file, `sha256:...`, as the registry and releases state it."""
    return f"sha256:{sha256_of(path)}"
