"""What the tests of the data repository share: an origin, a DVC remote, drops, and processes to kill."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from wms_resources.data_repo import DataRepo

_BIRTH = 60.0
"""Seconds. CPython 3.11 can hang inside fork when a thread of the parent ends just then: such a child never runs."""

Drop = tuple[str, dict[str, Path], Path]
"""The arguments of `propose`: drop id, files by name, manifest."""


class World:
    """A shared origin and DVC remote, and as many clones of them as a test wants."""

    def __init__(self, folder: Path, remote: str = "") -> None:
        self.folder = folder
        self.origin = folder / "origin.git"
        self.remote = remote or folder / "remote"

    def clone(self, name: str = "clone") -> DataRepo:
        return DataRepo(path=str(self.folder / name), origin=str(self.origin), remote=str(self.remote))

    def drop(self, drop_id: str, *names: str, salt: str = "") -> Drop:
        """A drop of pairs with these names, whose content follows from name and salt."""
        files: dict[str, Path] = {}
        for name in names:
            for key in (f"images/{name}.jpg", f"masks/{name}.png"):
                files[key] = self.folder / f"drops/{drop_id}{salt}/{key}"
                files[key].parent.mkdir(parents=True, exist_ok=True)
                files[key].write_text(f"{key} {salt}\n" * 50)
        manifest = self.folder / f"drops/{drop_id}{salt}.parquet"
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_bytes(f"PAR1 {drop_id} {' '.join(names)} PAR1".encode())
        return drop_id, files, manifest

    def git(self, *arguments: str, stdin: str = "") -> str:
        command = ["git", f"--git-dir={self.origin}", *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout.strip()

    def branches(self) -> dict[str, str]:
        if not self.origin.exists():
            return {}
        listing = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        return dict(line.split() for line in listing.splitlines())


def manifests(repo: DataRepo, rev: str = "main") -> dict[str, bytes]:
    """Drop id to the bytes of its manifest, for drops that came in one version."""
    ids = repo.manifest_ids(rev)
    drops = [name.rpartition("-")[0] for name in ids]
    return dict(zip(drops, repo.manifests(ids.values()), strict=True))


def contents(folder: Path) -> dict[str, bytes]:
    """Relative path to bytes of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def expected(*drops: Drop) -> dict[str, bytes]:
    """What `contents` gives of a folder that holds these drops."""
    return {name: path.read_bytes() for _, files, _ in drops for name, path in files.items()}


def start(work: Callable[[], object]) -> int:
    """Start `work` in a process, and process group, of its own; returns its id."""
    while True:
        born, bearing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.write(bearing, b"!")
                os.setsid()
                work()
                status = 0
            finally:
                os._exit(status)
        os.close(bearing)
        alive, _, _ = select.select([born], [], [], _BIRTH)
        os.close(born)
        if alive:
            return child
        kill(child)


def end(child: int) -> int:
    """Wait for a started process; returns its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill(child: int) -> None:
    """End a started process and its children at once, as a machine that loses power would."""
    for send in (os.killpg, os.kill):  # the group only exists once the child got that far
        with contextlib.suppress(ProcessLookupError):
            send(child, signal.SIGKILL)
    end(child)


def dying_at(step: int, events: set[str], work: Callable[[], object]) -> Callable[[], object]:
    """`work`, killed with all its children right before the given one of these audit events."""

    def run() -> object:
        seen = 0

        def count(event: str, _: object) -> None:
            nonlocal seen
            if event in events:  # killing is an event as well
                seen += 1
                if seen > step:
                    os.killpg(0, signal.SIGKILL)

        sys.addaudithook(count)
        return work()

    return run


def call_before(event: str, word: str, action: Callable[[], object]) -> None:
    """Make this (started!) process call `action` before every audit event that mentions `word`."""

    def watch(name: str, arguments: tuple) -> None:
        if name == event and any(word in str(argument) for argument in arguments):
            action()

    sys.addaudithook(watch)
