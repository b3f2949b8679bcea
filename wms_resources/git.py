"""Git as the data repository needs it: a store of objects and branches, never a working tree.

Commits are built from plumbing commands, so there is no index, checkout or half-made commit for a killed
process to leave behind, and nothing here depends on the user's git configuration, identity, hooks or on the
`GIT_DIR` that a calling hook exports.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from wms_ml.errors import DataRepoError

LOCK_LIFETIME_S = 10
"""Git holds the lock of a branch for milliseconds: one this old belongs to a process that was killed."""

REPLACED = "refs/tags/replaced"
"""Where a commit is kept that another took the place of on its branch."""

_SETTINGS = ("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "init.defaultBranch=main")
_REACH = frozenset({"GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND"})
"""The caller's variables that say how to reach a host; all others could say where to write."""
_IDENTITY = {f"GIT_{role}_NAME": "wms" for role in ("AUTHOR", "COMMITTER")}
_IDENTITY |= {f"GIT_{role}_EMAIL": "wms@localhost" for role in ("AUTHOR", "COMMITTER")}
_NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def is_folder(origin: str) -> bool:
    """Whether `origin` names a folder of this machine, not a URL or `host:path`."""
    return re.match(r"[^/]+:", origin) is None


def create(folder: Path) -> None:
    """Make `folder` an empty bare repository, whole or not at all; one that holds something is left alone."""
    if _holds_something(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        fresh = Path(scratch, "git")
        _git("init", "--quiet", "--bare", "--template=", str(fresh))
        try:
            fresh.rename(folder)
        except OSError:
            if not _holds_something(folder):  # otherwise another process was first, which is as good
                raise


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def clear_stale_locks(folder: Path, lifetime_s: float = LOCK_LIFETIME_S) -> None:
    """Remove the lock files that killed git processes left in the repository `folder`.

    A lock younger than `lifetime_s` seconds may be alive: it is waited for before it is judged.
    """
    for lock in [*folder.glob("*.lock"), *folder.glob("refs/**/*.lock")]:
        while lock.exists() and 0 <= time.time() - _modified(lock) < lifetime_s:
            time.sleep(0.1)
        lock.unlink(missing_ok=True)


def _modified(lock: Path) -> float:
    try:
        return lock.stat().st_mtime
    except FileNotFoundError:  # its owner has just finished
        return 0.0


@dataclass(frozen=True, slots=True)
class Git:
    """A bare repository that mirrors the branches of another one, and what they held before.

    Files of a commit are handled as a mapping of path to git's own entry, such as `100644 blob 1f7a…`.

    Attributes:
        folder: the repository; created on the first `mirror`.
    """

    folder: Path

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Standard output of a git command on this repository; a failure is a DataRepoError."""
        return _git(f"--git-dir={self.folder}", *arguments, stdin=stdin)

    def mirror(self, origin: str) -> None:
        """Make the branches here what they are on `origin` now: none while it is a folder that nobody wrote to yet."""
        with FileLock(f"{self.folder}.lock"):
            create(self.folder)
            clear_stale_locks(self.folder, lifetime_s=0)
            if is_folder(origin) and not _holds_something(Path(origin)):
                self.run("update-ref", "--stdin", stdin=self.run("for-each-ref", "--format=delete %(refname)"))
                return
            refspecs = ("+refs/heads/*:refs/heads/*", f"+{REPLACED}/*:{REPLACED}/*")
            self.run("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", origin, *refspecs)

    def push(self, origin: str, commit: str, branch: str, *, replacing: str | None) -> None:
        """Move `branch` of `origin`, a folder that is made if need be, to `commit`.

        Args:
            replacing: where the branch still is, or nothing moves; None: it does not exist.
        """
        if is_folder(origin):
            create(Path(origin))
            clear_stale_locks(Path(origin))
        lease = f"--force-with-lease=refs/heads/{branch}:{replacing or ''}"
        self.run("push", "--quiet", lease, origin, f"{commit}:refs/heads/{branch}")

    def keep(self, origin: str, commit: str, name: str) -> None:
        """Keep `commit`, which is about to lose its branch, under `name` (`replaced/…`) in `origin`."""
        self.run("push", "--quiet", origin, f"{commit}:refs/tags/{name}")

    def resolve(self, rev: str) -> str | None:
        """The commit that a branch or commit id stands for; None when this repository has no such thing."""
        answer = self.run("cat-file", "--batch-check", stdin=f"{rev}^{{commit}}\n".encode()).decode().split()
        return answer[0] if answer[1:2] == ["commit"] else None

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether the history of `of` contains `commit`."""
        return not self.run("rev-list", "--max-count=1", commit, f"^{of}")

    def header(self, commit: str) -> tuple[str, list[str]]:
        """The tree of a commit and its parents."""
        tree, *parents = self.run("log", "--max-count=1", "--format=%T %P", commit).decode().split()
        return tree, parents

    def files(self, commit: str, *under: str) -> dict[str, str]:
        """Path to entry of every file of a commit, or of those at or below the paths `under`."""
        listing = self.run("ls-tree", "-r", "-z", commit, "--", *under).decode("utf-8", "surrogateescape")
        rows = (row.partition("\t") for row in listing.split("\0") if row)
        return {path: entry for entry, _, path in rows}

    def contents(self, entries: Iterable[str]) -> list[bytes]:
        """The bytes of each file, in order."""
        names = [entry.split()[2] for entry in entries]
        stream = self.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode())
        found, start = [], 0
        for _ in names:
            body = stream.index(b"\n", start) + 1
            size = int(stream[start:body].split()[2])
            found.append(stream[body : body + size])
            start = body + size + 1
        return found

    def add_file(self, content: bytes) -> str:
        """Store a file; returns its entry."""
        blob = self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()
        return f"100644 blob {blob}"

    def add_tree(self, files: Mapping[str, str]) -> str:
        """Store a tree of path to entry; returns its id."""
        rows: list[str] = []
        folders: dict[str, dict[str, str]] = defaultdict(dict)
        for path, entry in files.items():
            name, inside, rest = path.partition("/")
            if inside:
                folders[name][rest] = entry
            else:
                rows.append(f"{entry}\t{name}\0")
        rows += [f"040000 tree {self.add_tree(inner)}\t{name}\0" for name, inner in folders.items()]
        listing = "".join(rows).encode("utf-8", "surrogateescape")
        return self.run("mktree", "-z", stdin=listing).decode().strip()

    def add_commit(self, tree: str, parents: Iterable[str], message: str) -> str:
        """Store a commit of now; returns its id."""
        lineage = [word for parent in parents for word in ("-p", parent)]
        return self.run("commit-tree", tree, *lineage, stdin=message.encode()).decode().strip()


def _git(*arguments: str, stdin: bytes = b"") -> bytes:
    program = shutil.which("git")
    if program is None:
        raise DataRepoError("git is not installed, and the data repository needs it: install git.")
    command = [program, *_SETTINGS, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, env=_environment(), check=False)
    if done.returncode:
        name = next(word for word in arguments if not word.startswith("-"))
        words = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise DataRepoError(
            f"git {name} failed: {words}\n"
            "Check that the data repository's `origin` can be reached and written to, then try again."
        )
    return done.stdout


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _REACH}
    return kept | _IDENTITY | _NOBODY
