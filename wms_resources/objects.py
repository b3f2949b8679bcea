"""Objects by path, in a folder or in a bucket: what the store needs of the place where drops lie.

Listings come in the order of their paths and are never cached; a time is when the *place* saw a change, not what a
camera or `cp -p` wrote. A folder or bucket that is not there is an outage and not empty. Every failure is a StoreError.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from wms_ml.errors import StoreError


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored file.

    Attributes:
        path: below the folder that was listed.
        size: bytes.
        changed: when its place last saw it change, UTC.
        tag: differs when other content was written: S3's ETag, a folder's modification time.
        link: whether it is a symbolic link.
    """

    path: str
    size: int
    changed: datetime
    tag: str
    link: bool = False


class Objects(Protocol):
    """Everything below one address. Paths are relative to it, with `/`."""

    def folders(self, folder: str, after: str = "", before: str = "") -> Iterator[str]:
        """Names of the folders in `folder`, in order, those between `after` and `before` (both left out)."""

    def entries(self, folder: str, after: str = "") -> Iterator[Entry]:
        """Every file below `folder`, in order of path, from behind its subfolder `after` on."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None when there is no such file."""

    def write(self, path: str, content: bytes) -> None:
        """Write a small file: whoever reads meanwhile finds the old or the new content."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a file unless it exists; True for the one caller who made it."""

    def remove(self, path: str) -> None:
        """Remove a file; one that is gone is fine."""

    def upload(self, files: Mapping[str, Path], on_file: Callable[[], Any] | None) -> None:
        """Copy local files (by their path here) to here; `on_file` is called after each."""

    def download(self, files: Mapping[str, Path]) -> None:
        """Copy files (by their path here) to local ones, in folders that exist."""


def open_objects(url: str) -> Objects:
    """The objects at `url`: a folder, or `s3://bucket/prefix`."""
    if url.startswith("s3://"):
        from wms_resources.objects_s3 import Bucket

        return Bucket(url)
    from wms_resources.objects_folder import Folder

    return Folder(Path(url.removeprefix("file://")))


@contextmanager
def reaching(url: str, what: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn OSErrors and `errors` into a StoreError that says what could not be done, and where."""
    caught: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except caught as error:
        said = str(error) or type(error).__name__
        raise StoreError(f"cannot {what} in {url}: {said}. Check WMS_STORE_URL and the access to it") from error
