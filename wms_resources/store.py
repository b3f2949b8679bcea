"""The object store where people leave drops: a folder on a laptop, S3 in the cloud, one code path (fsspec).

A drop is `drops/<id>/{images,masks}/`. `wms drop` writes `manifest.json` last: its presence says that
everything before it is there. A drop that people copied by hand has none; it is ready when nothing in it has
changed for a settle time.
"""

import getpass
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg

from wms_ml.errors import DropError, StoreError
from wms_ml.files import sha256_of, whole_folder
from wms_resources.drop_folder import FOLDERS

MANIFEST: Final = "manifest.json"
UPLOADING: Final = "_UPLOADING"


@dataclass(frozen=True, slots=True)
class Drop:
    """A ready drop.

    Attributes:
        drop_id: its folder's name.
        version: 12 hex digits over its listing; other content is another version.
    """

    drop_id: str
    version: str

    @property
    def key(self) -> str:
        """What makes a run for this drop unique."""
        return f"{self.drop_id}:{self.version}"


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size: int
    changed: datetime


class Store(dg.ConfigurableResource):
    """Drops in an object store.

    Attributes:
        url: a folder, or `s3://bucket/prefix`.
        settle_seconds: a drop without a manifest is ready after so long without change.
    """

    url: str
    settle_seconds: int = 60

    def drops(self) -> list[Drop]:
        """Every ready drop, by id.

        Raises:
            StoreError: the store cannot be listed.
        """
        system, root = self._open()
        with self._reaching("list the drops"):
            if not system.exists(f"{root}/drops"):
                return []
            entries = system.ls(f"{root}/drops", detail=True)
            if any(entry["name"] == f"{root}/drops" for entry in entries):
                raise NotADirectoryError(f"{root}/drops is a file")
        names = sorted(Path(entry["name"]).name for entry in entries if entry["type"] == "directory")
        found = (self._ready(name) for name in names if not name.startswith("."))
        return [drop for drop in found if drop]

    def drop(self, drop_id: str) -> Drop:
        """The drop of this id.

        Raises:
            DropError: there is none, or it is still being copied.
        """
        ready = self._ready(drop_id)
        if ready is None:
            known = ", ".join(drop.drop_id for drop in self.drops()[-3:]) or "none"
            raise DropError(
                f"no ready drop '{drop_id}' in {self.url}/drops: it is missing or still being copied "
                f"(latest ready: {known})"
            )
        return ready

    def put(
        self, files: Mapping[str, Path], drop_id: str | None = None, on_file: Callable[[], Any] | None = None
    ) -> Drop:
        """Copy files (by their path in the drop, see `drop_files`) into the store as one drop, its manifest last.

        The same content dropped again is the same drop. `on_file` is called after each file.

        Raises:
            DropError: a drop of that id is there with other content.
            StoreError: the store cannot be written.
        """
        listing = {name: {"sha256": sha256_of(path), "size": path.stat().st_size} for name, path in files.items()}
        version = _version(listing)
        existing = next((drop for drop in self.drops() if drop.version == version), None)
        if existing and drop_id in (None, existing.drop_id):
            return existing
        name = self._name(version, drop_id)
        system, root = self._open()
        target = f"{root}/drops/{name}"
        system.makedirs(target, exist_ok=True)
        system.pipe_file(f"{target}/{UPLOADING}", version.encode())
        for relative, path in files.items():
            system.makedirs(f"{target}/{Path(relative).parent}", exist_ok=True)
            system.put_file(str(path), f"{target}/{relative}")
            if on_file:
                on_file()
        manifest = {
            "format": 1,
            "drop": name,
            "created": datetime.now(UTC).isoformat(),
            "by": getpass.getuser(),
            "files": listing,
        }
        system.pipe_file(f"{target}/{MANIFEST}", json.dumps(manifest, indent=1).encode())
        system.rm_file(f"{target}/{UPLOADING}")
        return Drop(name, version)

    def fetch(self, drop: Drop, staging: Path) -> Path:
        """An unchanging local copy of a drop, at `staging/<id>-<version>`; there whole or not at all.

        Raises:
            DropError: a file is missing or is not what the drop's manifest says.
        """
        target = staging / f"{drop.drop_id}-{drop.version}"
        if target.exists():
            return target
        system, root = self._open()
        source = f"{root}/drops/{drop.drop_id}"
        manifest = self._manifest(drop.drop_id)
        with whole_folder(target) as part:
            for folder in FOLDERS:
                (part / folder).mkdir()
            for file in self._listing(drop.drop_id):
                relative = Path(file.path).relative_to(Path(source)).as_posix()
                if relative.split("/")[0] in FOLDERS:
                    (part / relative).parent.mkdir(parents=True, exist_ok=True)
                    system.get_file(file.path, str(part / relative))
            _verify(drop, manifest, part)
        return target

    def _name(self, version: str, asked: str | None) -> str:
        """Where to upload to: the id asked for, the one that an upload of the same content broke off at, or now."""
        system, root = self._open()
        if asked is not None:
            if not re.fullmatch(r"\w[\w-]*(\.[\w-]+)*", asked, re.ASCII):
                raise DropError(f"'{asked}' cannot name a drop: use letters, digits, '-', '_' and single dots")
            taken = system.exists(f"{root}/drops/{asked}")
            if taken and not system.exists(f"{root}/drops/{asked}/{UPLOADING}"):
                raise DropError(f"drop '{asked}' is there already with other content: choose another id")
            return asked
        for marker in system.glob(f"{root}/drops/*/{UPLOADING}"):
            if system.cat_file(marker) == version.encode():
                return Path(marker).parent.name
        moment = datetime.now(UTC)
        while system.exists(f"{root}/drops/{moment:%Y%m%d-%H%M%S}"):
            moment += timedelta(seconds=1)
        return f"{moment:%Y%m%d-%H%M%S}"

    def _open(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(self.url)
        return system, str(root)

    @contextmanager
    def _reaching(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"cannot {what} in {self.url}: {error}. Check WMS_STORE_URL and its access") from error

    def _listing(self, drop_id: str) -> list[_File]:
        system, root = self._open()
        with self._reaching(f"list drop {drop_id}"):
            found = system.find(f"{root}/drops/{drop_id}", detail=True)
        return [_File(name, int(entry["size"]), _changed(entry)) for name, entry in sorted(found.items())]

    def _manifest(self, drop_id: str) -> dict[str, Any] | None:
        system, root = self._open()
        path = f"{root}/drops/{drop_id}/{MANIFEST}"
        with self._reaching(f"read the manifest of drop {drop_id}"):
            if not system.exists(path):
                return None
            content = system.cat_file(path)
        try:
            manifest = json.loads(content)
        except ValueError as error:
            raise DropError(f"drops/{drop_id}/{MANIFEST} is not JSON ({error}): drop the folder again") from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
            raise DropError(f"drops/{drop_id}/{MANIFEST} has no list of files: drop the folder again")
        return manifest

    def _ready(self, drop_id: str) -> Drop | None:
        manifest = self._manifest(drop_id)
        if manifest is not None:
            return Drop(drop_id, _version(manifest["files"]))
        files = self._listing(drop_id)
        if not files or any(Path(file.path).name == UPLOADING for file in files):
            return None
        if (datetime.now(UTC) - max(file.changed for file in files)).total_seconds() < self.settle_seconds:
            return None
        return Drop(drop_id, _version({file.path: [file.size, file.changed.isoformat()] for file in files}))


def _verify(drop: Drop, manifest: dict[str, Any] | None, folder: Path) -> None:
    if manifest is None:
        return
    for relative, expected in manifest["files"].items():
        path = folder / relative
        if not path.is_file():
            raise DropError(f"drop {drop.drop_id}: {relative} is in its manifest but missing: drop the folder again")
        if sha256_of(path) != expected["sha256"]:
            raise DropError(f"drop {drop.drop_id}: {relative} is not what its manifest says: drop the folder again")


def _changed(entry: dict[str, Any]) -> datetime:
    """Time of last change, as local folders (seconds) and S3 (datetime) say it."""
    value = entry.get("LastModified", entry.get("mtime"))
    return value if isinstance(value, datetime) else datetime.fromtimestamp(float(value or 0), UTC)


def _version(listing: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(listing, sort_keys=True).encode()).hexdigest()[:12]
