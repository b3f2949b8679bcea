"""People with clones and a shared bare repository, for the tests of the git route: real git, the real hook.

Whatever a push does, `blocked` and `passes` compare everything that is the person's own before and after it.
"""

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

HOOK = Path(__file__).resolve().parent.parent / "infra" / "git-hooks" / "pre-push"
_OF_A_PUSH = ("objects", "wms-sent", "refs/remotes", "logs/refs/remotes")
"""Below .git: what a push may add to without touching anything of the person's."""

ODD_NAMES = [
    "a b",
    "für",
    "line\nbreak",
    "tab\t",
    'quo"te',
    "quo'te",
    "back\\slash",
    "-x",
    "*[?]",
    "raw\udcff",
    "$(id)",
]

State = dict[str, tuple[int, int, bytes]]


def picture(name: str) -> bytes:
    """Bytes that stand for a picture, different for every name."""
    return b"\xff\xd8\xff\0\n" + hashlib.sha512(os.fsencode(name)).digest() * 20


def pairs(*names: str, root: str = "") -> dict[str, bytes]:
    """Files of pairs, by path."""
    images = {f"{root}images/{name}.jpg": picture(f"image {name}") for name in names}
    return images | {f"{root}masks/{name}.png": picture(f"mask {name}") for name in names}


def environment(home: Path, **more: str) -> dict[str, str]:
    """The caller's environment without its git settings, with a `TMPDIR` of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(home)}
    return clean | own | {"TMPDIR": str(scratch(home)), "GIT_EDITOR": "true"} | more


def scratch(home: Path) -> Path:
    folder = home / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


class Repository:
    """A folder in which git runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder.parent

    def run(self, *command: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(self.home, **more),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )

    def git(self, *arguments: str, **more: str) -> str:
        done = self.run("git", *arguments, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout.removesuffix("\n")

    def branches(self, under: str = "refs/heads") -> dict[str, str]:
        rows = self.git("for-each-ref", "--format=%(refname) %(objectname)", under).splitlines()
        return {ref.removeprefix("refs/heads/"): commit for ref, commit in map(str.split, rows)}

    def files(self, rev: str) -> dict[str, bytes]:
        """Path to content of every file of a commit."""
        rows = [row.split("\t", 1) for row in self.git("ls-tree", "-r", "-z", rev).split("\0") if row]
        return {path: self.blob(entry.split()[2]) for entry, path in rows if entry.startswith("100")}

    def blob(self, name: str) -> bytes:
        return subprocess.run(
            ["git", "cat-file", "blob", name], cwd=self.folder, capture_output=True, check=True
        ).stdout


class Remote(Repository):
    """The bare repository that everybody pushes to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        super().__init__(folder)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", "--template=")
        self.git("config", "receive.denyDeleteCurrent", "ignore")

    def data_branches(self) -> list[str]:
        return sorted(name for name in self.branches() if name.startswith("data/"))

    def sent(self, branch: str) -> dict[str, bytes]:
        """The files that a data branch adds to main, by path in the drop; nothing else may differ."""
        found = self.files(branch)
        base = self.files(f"{branch}^")
        assert {path: found.get(path) for path in base} == base
        prefix = f"drops/{branch.removeprefix('data/')}/"
        added = set(found) - set(base)
        assert all(path.startswith(prefix) for path in added), added
        return {path.removeprefix(prefix): found[path] for path in added}

    def only_drop(self) -> dict[str, bytes]:
        (branch,) = self.data_branches()
        return self.sent(branch)

    def refuses(self, refs: str) -> None:
        """From now on refs that match this shell pattern are refused."""
        hook = self.folder / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ncase $1 in {refs}) echo 'not today' >&2; exit 1 ;; esac\n")
        hook.chmod(0o755)


class Person(Repository):
    """A clone with the hook in it and, unless the remote is to stay empty, a first commit on main."""

    def __init__(self, remote: Remote, name: str = "ann", *options: str, start: bool = True) -> None:
        super().__init__(remote.home / name)
        self.remote = remote
        self.folder.mkdir()
        self.git("clone", "--quiet", "--template=", *options, f"file://{remote.folder}", ".")
        self.git("config", "user.name", name.title())
        self.git("config", "user.email", f"{name}@localhost")
        self.hook = self.folder / ".git" / "hooks" / "pre-push"
        self.hook.parent.mkdir()
        shutil.copy(HOOK, self.hook)
        if start and "main" not in remote.branches():
            self.commit("Start", {"code.py": b"1\n", "docs/images/overview.png": picture("overview")})
            self.git("push", "--quiet", "--set-upstream", "origin", "main")

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def commit(self, message: str, files: Mapping[str, bytes]) -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def state(self) -> State:
        """Every file of the person's: of the working tree, and of git except what a push adds to."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            about = path.lstat()
            if path.is_dir() and not path.is_symlink():
                continue
            if name.startswith(".git/") and name.removeprefix(".git/").startswith(_OF_A_PUSH):
                continue
            content = os.fsencode(path.readlink()) if stat.S_ISLNK(about.st_mode) else path.read_bytes()
            found[name] = (about.st_mode, about.st_mtime_ns, content)
        return found

    def blocked(self, *arguments: str, at: Path | None = None, **more: str) -> str:
        """What a push says that must not change anything on the remote but data branches."""
        before, shared = self.state(), self.shared()
        done = self._push(*arguments, at=at, **more)
        assert done.returncode == 1, f"not blocked: {done.stderr}"
        assert self.state() == before
        assert self.shared() == shared
        assert not list(scratch(self.home).iterdir())
        return done.stderr

    def passes(self, *arguments: str, at: Path | None = None, **more: str) -> str:
        """What a push says that must go through and leave the person's things and the data branches alone."""
        before, data = self.state(), self.remote.data_branches()
        done = self._push(*arguments, at=at, **more)
        assert done.returncode == 0, done.stderr
        assert self.state() == before
        assert self.remote.data_branches() == data
        assert "wms" not in done.stderr
        assert not list(scratch(self.home).iterdir())
        return done.stderr

    def _push(self, *arguments: str, at: Path | None, **more: str) -> "subprocess.CompletedProcess[str]":
        where = Repository(at or self.folder)
        where.home = self.home
        return where.run("git", "push", *(arguments or ("origin", "main")), **more)

    def shared(self) -> dict[str, str]:
        """All refs of the remote but the data branches."""
        refs = self.remote.branches("refs")
        return {name: commit for name, commit in refs.items() if not name.startswith("data/")}

    def follow(self, said: str, at: Path | None = None) -> None:
        """Run, as they are printed, the commands that the hook told the person."""
        lines = [line for line in said.splitlines() if line.startswith(("    git ", "    cd "))]
        assert lines, said
        where = Repository(at or self.folder)
        where.home = self.home
        done = where.run("sh", "-e", "-c", "\n".join(lines))
        assert done.returncode == 0, f"{lines}\n{done.stderr}"
