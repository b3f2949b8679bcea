"""Objects in an S3 bucket, by s3fs; credentials, region and endpoint as every AWS tool finds them (AWS_*)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from wms_resources.objects import Entry, reaching

_LAST: Final = "\U0010ffff"
"""Sorts behind every character that a name can have."""
_BATCH: Final = 64
"""Files copied at once: enough to fill a connection, few enough to show progress."""
_CLIENT: Final = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 2, "mode": "standard"}}


class Bucket:
    """`Objects` at `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._name, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""

    def folders(self, folder: str, after: str = "", before: str = "") -> Iterator[str]:
        """See `Objects`."""
        inside = f"{self._prefix}{folder}/"
        with self._reaching(f"list {folder}"):
            for page in self._pages(inside, f"{inside}{after}/{_LAST}" if after else "", "/"):
                for found in page.get("CommonPrefixes", ()):
                    name = str(found["Prefix"]).removeprefix(inside).rstrip("/")
                    if before and f"{name}/" >= f"{before}/":
                        return
                    yield name

    def entries(self, folder: str, after: str = "") -> Iterator[Entry]:
        """See `Objects`."""
        inside = f"{self._prefix}{folder}/"
        with self._reaching(f"list {folder}"):
            for page in self._pages(inside, f"{inside}{after}/{_LAST}" if after else "", ""):
                for found in page.get("Contents", ()):
                    if not found["Key"].endswith("/"):  # consoles make empty objects to stand for folders
                        tag = str(found["ETag"]).strip('"')
                        yield Entry(found["Key"].removeprefix(inside), int(found["Size"]), found["LastModified"], tag)

    def read(self, path: str) -> bytes | None:
        """See `Objects`."""
        with self._reaching(f"read {path}"):
            try:
                return bytes(self._system.cat_file(self._key(path)))
            except FileNotFoundError:
                # Also what a bucket that does not exist answers; asking for a listing tells them apart.
                next(self._pages(self._prefix, "", "/"))
                return None

    def write(self, path: str, content: bytes) -> None:
        """See `Objects`."""
        with self._reaching(f"write {path}"):
            self._system.pipe_file(self._key(path), content)

    def create(self, path: str, content: bytes) -> bool:
        """See `Objects`."""
        with self._reaching(f"write {path}"):
            try:
                self._system.pipe_file(self._key(path), content, mode="create")
            except FileExistsError:
                return False
            return True

    def remove(self, path: str) -> None:
        """See `Objects`."""
        with self._reaching(f"remove {path}"):
            self._system.call_s3("delete_object", Bucket=self._name, Key=f"{self._prefix}{path}")

    def upload(self, files: Mapping[str, Path], on_file: Callable[[], Any] | None) -> None:
        """See `Objects`."""
        with self._reaching("write"):
            for batch in _batches(files):
                self._system.put([str(source) for _, source in batch], [self._key(path) for path, _ in batch])
                for _ in batch if on_file else ():
                    on_file()  # type: ignore[misc]

    def download(self, files: Mapping[str, Path]) -> None:
        """See `Objects`."""
        with self._reaching("read"):
            for batch in _batches(files):
                self._system.get([self._key(path) for path, _ in batch], [str(target) for _, target in batch])

    @cached_property
    def _system(self) -> Any:
        from s3fs import S3FileSystem

        return S3FileSystem(use_listings_cache=False, config_kwargs=_CLIENT)

    def _key(self, path: str) -> str:
        return f"{self._name}/{self._prefix}{path}"

    def _pages(self, prefix: str, start_after: str, delimiter: str) -> Iterator[dict[str, Any]]:
        asked = {"Bucket": self._name, "Prefix": prefix, "Delimiter": delimiter, "StartAfter": start_after}
        while True:
            page = self._system.call_s3("list_objects_v2", **{key: value for key, value in asked.items() if value})
            yield page
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _reaching(self, what: str) -> AbstractContextManager[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        return reaching(self._url, what, BotoCoreError, ClientError)


def _batches(files: Mapping[str, Path]) -> Iterator[list[tuple[str, Path]]]:
    items = list(files.items())
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
