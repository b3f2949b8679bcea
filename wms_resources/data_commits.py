"""What a commit of the data repository says, and how one is made: listings of DVC's folders, manifests, history."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from wms_ml.errors import DataRepoError
from wms_resources.dvc_content import Folder
from wms_resources.git import REPLACED, Git

FOLDERS = ("images", "masks")
PRODUCTION: Final = "production"
"""The branch that says which model is in production and how it got there; it holds no data."""

_README = """# Pairs of meter pictures

Images and masks are tracked with DVC (`images.dvc`, `masks.dvc`): `dvc pull` fetches them from the remote in
`.dvc/config`. Branch `main` is the accepted data, a branch `data/<drop>` is a drop that was proposed, and
`manifest/<drop>-<content>.parquet` lists pairs of that drop. Branch `production` says which model serves and why.
The platform writes all of it: change nothing by hand.
"""
_SCAFFOLD = {
    "README.md": _README,
    ".gitignore": "/images\n/masks\n",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
}


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the repository's history.

    Attributes:
        id: git's id of it.
        created: when it was made, ISO 8601 in UTC.
        branches: names of the branches that end here, and of the proposals that were replaced.
        accepted: whether `main` has it.
    """

    id: str
    created: str
    branches: tuple[str, ...]
    accepted: bool


def history(git: Git) -> Iterator[Commit]:
    """Every commit of data that leads to a branch or to a replaced proposal, newest first."""
    names = defaultdict(list)
    listing = git.run("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads", REPLACED)
    for row in listing.decode().splitlines():
        commit, name = row.split(" ", 1)
        names[commit].append(name)
    accepted = set(git.run("rev-list", "main").decode().split()) if git.resolve("main") else set()
    everything = (f"--exclude=refs/heads/{PRODUCTION}", "--all")
    for row in git.run("log", *everything, "--date-order", "--format=%H %ct").decode().splitlines():
        commit, seconds = row.split()
        created = datetime.fromtimestamp(int(seconds), UTC).isoformat(timespec="seconds")
        yield Commit(commit, created, tuple(names[commit]), commit in accepted)


def manifest_ids(git: Git, commit: str) -> dict[str, str]:
    """Name of each manifest of a commit to git's id of its content."""
    found = git.files(commit, "manifest/")
    return {path.removeprefix("manifest/").removesuffix(".parquet"): entry.split()[2] for path, entry in found.items()}


def folders_of(git: Git, commit: str) -> dict[str, Folder]:
    """What a commit tracks: both folders, or none in a repository that holds no data yet."""
    found = git.files(commit, *(f"{name}.dvc" for name in FOLDERS))
    folders = {
        path.removesuffix(".dvc"): Folder.parse(text)
        for path, text in zip(found, git.contents(found.values()), strict=True)
    }
    sound = {name: folder for name, folder in folders.items() if folder}
    if len(sound) != len(found) or len(found) not in (0, len(FOLDERS)):
        raise DataRepoError(f"images.dvc and masks.dvc of {commit} are not two folders: mend them in git.")
    return sound


def check_names(drop_id: str, files: Iterable[str]) -> None:
    """Refuse a drop id or a file's name (`images/<name>`, `masks/<name>`) that git or a folder cannot hold."""
    if not re.fullmatch(r"\w[\w-]*(\.[\w-]+)*", drop_id, re.ASCII) or drop_id.endswith(".lock"):
        raise DataRepoError(f"{drop_id!r} cannot name a drop: use letters, digits, `-`, `_` and single dots.")
    for name in files:
        if not re.fullmatch(r"(images|masks)/[^/\0]+", name) or name.endswith(("/.", "/..")):
            raise DataRepoError(f"{name!r} cannot be in a drop: call it `images/<name>` or `masks/<name>`.")


def commit_on(git: Git, main: str | None, branch: str, changed: Mapping[str, bytes]) -> str:
    """The commit of `main` plus the changed files: one that exists when it fits, otherwise a new one."""
    base = git.files(main) if main else {}
    scaffold = {path: git.add_file(text.encode()) for path, text in _SCAFFOLD.items()}
    tree = git.add_tree(scaffold | base | {path: git.add_file(content) for path, content in changed.items()})
    if main and git.header(main)[0] == tree:
        return main
    parents = [main] if main else []
    earlier = git.resolve(branch)
    if earlier and git.header(earlier) == (tree, parents):
        return earlier
    return git.add_commit(tree, parents, f"Add the pairs of drop {branch.removeprefix('data/')}\n")
