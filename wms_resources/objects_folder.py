"""Objects in a folder of this machine, or one that is mounted here."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from wms_resources.objects import Entry, reaching


@dataclass(frozen=True, slots=True)
class Folder:
    """`Objects` below `root`. Links are listed, never followed."""

    root: Path

    def folders(self, folder: str, after: str = "", before: str = "") -> Iterator[str]:
        """See `Objects`."""
        with self._reaching(f"list {folder}"):
            names = sorted(self._subfolders(folder), key=_order)
        low, high = after and _order(after), before and _order(before)
        return (name for name in names if low < _order(name) and not (high and _order(name) >= high))

    def entries(self, folder: str, after: str = "") -> Iterator[Entry]:
        """See `Objects`."""
        with self._reaching(f"list {folder}"):
            if not after:
                yield from self._files(folder, ["."], deep=False)
            for name in self.folders(folder, after):
                yield from self._files(folder, [name], deep=True)

    def read(self, path: str) -> bytes | None:
        """See `Objects`."""
        with self._reaching(f"read {path}"):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                self._require_root()
                return None

    def write(self, path: str, content: bytes) -> None:
        """See `Objects`."""
        with self._reaching(f"write {path}"):
            part = self.root / f".{uuid4().hex}.part"  # outside of drops: what a kill leaves there is no file of a drop
            self._require_root()
            part.write_bytes(content)
            part.replace(self._place(path))

    def create(self, path: str, content: bytes) -> bool:
        """See `Objects`."""
        with self._reaching(f"write {path}"):
            try:
                with self._place(path).open("xb") as file:
                    file.write(content)
            except FileExistsError:
                return False
            return True

    def remove(self, path: str) -> None:
        """See `Objects`."""
        with self._reaching(f"remove {path}"):
            (self.root / path).unlink(missing_ok=True)

    def upload(self, files: Mapping[str, Path], on_file: Callable[[], Any] | None) -> None:
        """See `Objects`."""
        with self._reaching("write"):
            for path, source in files.items():
                shutil.copyfile(source, self._place(path))
                if on_file:
                    on_file()

    def download(self, files: Mapping[str, Path]) -> None:
        """See `Objects`; a link arrives as a link."""
        with self._reaching("read"):
            for path, target in files.items():
                shutil.copyfile(self.root / path, target, follow_symlinks=False)

    def _reaching(self, what: str) -> AbstractContextManager[None]:
        return reaching(str(self.root), what)

    def _require_root(self) -> None:
        if not self.root.is_dir():
            raise FileNotFoundError("there is no such folder: mount it, or make it once with `mkdir`")

    def _place(self, path: str) -> Path:
        self._require_root()
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _subfolders(self, folder: str) -> list[str]:
        self._require_root()
        try:
            with os.scandir(self.root / folder) as found:
                return [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []

    def _files(self, folder: str, todo: list[str], *, deep: bool) -> list[Entry]:
        files = []
        while todo:
            inside = todo.pop()
            with suppress(FileNotFoundError), os.scandir(self.root / folder / inside) as found:
                for entry in found:
                    path = os.path.normpath(f"{inside}/{entry.name}")
                    if not entry.is_dir(follow_symlinks=False):
                        with suppress(FileNotFoundError):  # removed since it was listed
                            files.append(_entry(path, entry))
                    elif deep:
                        todo.append(path)
        return sorted(files, key=lambda each: each.path)


def _entry(path: str, found: "os.DirEntry[str]") -> Entry:
    about = found.stat(follow_symlinks=False)
    changed = datetime.fromtimestamp(about.st_ctime, UTC)
    return Entry(path, about.st_size, changed, str(about.st_mtime_ns), found.is_symlink())


def _order(name: str) -> str:
    # Where a bucket would list it: by the path of what is inside.
    return f"{name}/"
