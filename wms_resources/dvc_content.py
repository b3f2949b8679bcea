"""The pictures' content under DVC: a cache on this machine, a remote that is shared, and listings of folders.

DVC's own `add` wants the complete folder on disk and walks it. Here a folder's new version is made from its
old listing (DVC's `.dir` object) and the new files alone; the outcome is byte for byte what `dvc add` writes.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wms_ml.errors import DataRepoError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

REMOTE_NAME = "storage"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as its `.dvc` file describes it.

    Attributes:
        md5: DVC's id of the listing, `<md5>.dir`.
        size: bytes of all files together; None when the one who wrote the `.dvc` file did not know.
        count: number of files.
    """

    md5: str
    size: int | None
    count: int

    @classmethod
    def parse(cls, content: bytes) -> "Folder | None":
        """What the `.dvc` file of a folder says; None when it does not describe a folder."""
        fields = dict(re.findall(r"^[- ] (\w+): (\S+)$", content.decode(errors="replace"), re.MULTILINE))
        if not fields.get("md5", "").endswith(".dir"):
            return None
        return cls(fields["md5"], int(fields["size"]) if "size" in fields else None, int(fields.get("nfiles", 0)))

    def dump(self, name: str) -> bytes:
        """The `.dvc` file of this folder, called `name`."""
        size = "" if self.size is None else f"  size: {self.size}\n"
        listing = f"outs:\n- md5: {self.md5}\n{size}  nfiles: {self.count}\n"
        return f"{listing}  hash: md5\n  path: {name}\n".encode()


@dataclass(frozen=True, slots=True)
class Content:
    """DVC's cache and remote. A listing is a mapping of file name to md5.

    Attributes:
        repo: the DVC repository that owns both.
        words: what DVC had to say so far, for error messages; it would print this.
    """

    repo: "Repo"
    words: list[str] = field(default_factory=list)

    def listing(self, folder: str) -> dict[str, str]:
        """The listing with the id `<md5>.dir`, fetched when the cache lacks it."""
        self._fetch({folder})
        rows = json.loads(read(Path(self.repo.cache.local.oid_to_path(folder))))
        return {row["relpath"]: row["md5"] for row in rows}

    def extend(self, old: Folder | None, files: Mapping[str, Path]) -> Folder:
        """Store a folder that holds what `old` does and `files` (name to local file); reads only what is new.

        Raises:
            DataRepoError: a name is in `old` with other content; a file cannot be read or is changing.
        """
        listing = self.listing(old.md5) if old else {}
        md5s = {name: _md5(read(path)) for name, path in files.items()}
        clashes = sorted(name for name, md5 in md5s.items() if listing.get(name, md5) != md5)
        if clashes:
            raise DataRepoError(
                f"{len(clashes)} names are accepted already, with other content: {', '.join(clashes[:10])}. "
                "Nothing accepted is overwritten: give these files other names, or leave them out."
            )
        new = [name for name in files if name not in listing]
        if old and not new:
            return old
        added = self._add({files[name]: md5s[name] for name in new})
        before = old.size if old else 0
        md5 = self._add_listing(listing | md5s)
        return Folder(md5, None if before is None else before + added, len(listing) + len(new))

    def push(self, folder: str, known: str | None) -> None:
        """Bring a folder to the remote, its listing last: who finds a listing there finds its files too.

        The files of the folder `known` are not looked for when its listing is there, which is DVC's own rule.
        """
        remote = self.repo.cloud.get_remote_odb()
        # Asking also drops the empty listing that a killed push can leave.
        listings = set(remote.oids_exist([folder, known or folder]))
        there = set(self.listing(known).values()) if known and known in listings else set()
        files = set(self.listing(folder).values()) - there
        self.repo.cloud.push({_hash(md5) for md5 in files}, odb=remote)
        if files.difference(remote.oids_exist(files)):
            raise DataRepoError(f"DVC could not push everything to {remote.path}.{self._said()}")
        cache = self.repo.cache.local
        remote.add(cache.oid_to_path(folder), cache.fs, folder)

    def export(self, folder: str, target: Path) -> None:
        """Fill the new folder `target` with the files of `folder`: hard links to the cache, or copies."""
        listing = self.listing(folder)
        self._fetch({folder, *listing.values()})
        target.mkdir(parents=True)
        for name, md5 in listing.items():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(Path(self.repo.cache.local.oid_to_path(md5)), place)

    def _add(self, files: Mapping[Path, str]) -> int:
        """Copy files, each with the md5 that it should have, to the cache; returns their bytes."""
        cache = self.repo.cache.local
        if files:  # `verify` hashes the copies, and what a killed process left in their place
            cache.add([str(path) for path in files], cache.fs, list(files.values()), verify=True)
        for path, md5 in files.items():
            if not cache.exists(md5):
                raise DataRepoError(f"{path} changed while it was copied: try again when it is complete.")
        return sum(Path(cache.oid_to_path(md5)).stat().st_size for md5 in files.values())

    def _add_listing(self, listing: Mapping[str, str]) -> str:
        rows = [{"md5": md5, "relpath": name} for name, md5 in listing.items()]
        content = json.dumps(sorted(rows, key=lambda row: row["relpath"])).encode()
        folder = f"{_md5(content)}.dir"
        cache = self.repo.cache.local
        cache.add_bytes(folder, content)
        cache.protect(cache.oid_to_path(folder))
        return folder

    def _fetch(self, md5s: set[str]) -> None:
        cache = self.repo.cache.local
        if not (lacking := md5s.difference(cache.oids_exist(md5s))):
            return
        folders = {md5 for md5 in md5s if md5.endswith(".dir")}  # spares DVC from listing the whole remote
        with suppress(FileNotFoundError):  # which DVC stumbles over where a bucket lacks a file
            self.repo.cloud.pull({_hash(md5) for md5 in lacking | folders})
        if missing := {md5 for md5 in lacking if not cache.exists(md5)}:
            there = self.repo.cloud.get_remote_odb().oids_exist(missing)
            lost = sorted(missing.difference(there) or missing)
            raise DataRepoError(
                f"DVC's remote lacks {len(lost)} files, or has them damaged: {lost[0]} …{self._said()}\n"
                "Restore them there, or push them again from a machine that has them (`dvc push`)."
            )

    def _said(self) -> str:
        return "".join(f"\nDVC: {line}" for line in self.words[-3:])


def read(path: Path) -> bytes:
    """The bytes of a local file of a drop; DataRepoError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataRepoError(f"{path} cannot be read ({error.strerror}): is the drop complete?") from error


@contextmanager
def opened(path: Path, remote: str, options: Mapping[str, str]) -> Iterator[Content]:
    """The content kept under `path` and on `remote`. DVC's errors leave as DataRepoError, its output never.

    Args:
        path: folder for the cache and DVC's databases (in `.dvc`); created when missing.
        remote: a folder or a URL such as `s3://bucket/prefix`.
        options: DVC's options for that remote, such as `profile` or `endpointurl`.
    """
    streams = sys.stdout, sys.stderr
    from botocore.exceptions import BotoCoreError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_objects.errors import ObjectDBError, ObjectFormatError

    sys.stdout, sys.stderr = streams  # the import puts a filter in front of them that drops colours
    dvc = path / ".dvc"
    dvc.mkdir(parents=True, exist_ok=True)
    with _silenced() as words:
        try:
            with Repo(str(path), config=_config(dvc, remote, options), _wait_for_lock=True) as repo:
                yield Content(repo, words)
        except (DvcException, ObjectDBError, ObjectFormatError, BotoCoreError, OSError) as error:
            raise DataRepoError(
                f"DVC failed: {error}\nCheck that its remote {remote} can be reached and written to."
            ) from error


def _config(dvc: Path, remote: str, options: Mapping[str, str]) -> dict[str, dict]:
    core = {"remote": REMOTE_NAME, "site_cache_dir": str(dvc / "site"), "no_scm": "true"}
    return {
        "core": core | dict.fromkeys(("analytics", "autostage", "check_update"), "false"),
        "cache": {"dir": str(dvc / "cache"), "type": "hardlink,copy"},
        "remote": {REMOTE_NAME: {"verify": "true", **options, "url": remote}},
    }


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self.words.append(f"{record.getMessage()}: {cause}" if cause else record.getMessage())


@contextmanager
def _silenced() -> Iterator[list[str]]:
    """Keep DVC off the terminal while it works; yields the list that its warnings go to."""
    listener = _Listener()
    printing = {each: each.handlers for each in map(logging.getLogger, ("dvc", "dvc_data", "dvc_objects"))}
    for bars in ("dvc.progress", "dvc_data.callbacks"):  # above ERROR these draw no progress bars
        logging.getLogger(bars).setLevel(logging.CRITICAL)
    for logger in printing:
        logger.handlers = [listener]
        logger.propagate = False
    try:
        yield listener.words
    finally:
        for logger, handlers in printing.items():
            logger.handlers = handlers
            logger.propagate = True


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _hash(md5: str) -> "HashInfo":
    from dvc_data.hashfile.hash_info import HashInfo

    return HashInfo("md5", md5)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:  # another file system, or one without links, or too many links to one file
        shutil.copyfile(source, place)
        place.chmod(0o444)
