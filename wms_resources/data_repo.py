"""The data repository: which pairs were accepted and which are proposed, versioned by git and DVC.

Git holds listings and manifests, DVC the pictures. Neither has a working copy here: a new version is the old
listings plus the new files, so a drop costs what it brings, and a process killed at any moment leaves nothing
that calling again would not cure. What people see is a plain DVC repository: `git clone`, then `dvc pull`.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
from filelock import FileLock
from pydantic import Field

from wms_ml.errors import DataRepoError
from wms_resources import data_commits, dvc_content
from wms_resources.data_branch import Branch
from wms_resources.data_commits import FOLDERS, check_names, commit_on, folders_of
from wms_resources.dvc_content import Content
from wms_resources.git import Git, is_folder


@dataclass(frozen=True, slots=True)
class DataVersion:
    """One version of the data set.

    Attributes:
        branch: `main`, or `data/<drop id>` for a proposed drop; in a history also others, see `Recorded.branches`.
        commit: git's id of the version.
        images_md5: DVC's id of the folder of images, `<md5>.dir`.
        masks_md5: DVC's id of the folder of masks, `<md5>.dir`.
    """

    branch: str
    commit: str
    images_md5: str
    masks_md5: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version of the data set as the repository's history tells of it.

    Attributes:
        version: the version itself.
        created: when it was proposed, ISO 8601 in UTC.
        branches: what leads to it: `main`, `data/<drop>`, or `replaced/<drop>/<commit>` for a proposal that another
            took the place of; none for what `main` has left behind.
        accepted: whether `main` holds it, alone or under later drops.
        manifests: git's ids of its manifests' content.
    """

    version: DataVersion
    created: str
    branches: tuple[str, ...]
    accepted: bool
    manifests: tuple[str, ...]


class MainMovedError(DataRepoError):
    """`main` is not any more what a proposal was made for."""


class DataRepo(dg.ConfigurableResource):
    """Accepted and proposed versions of the data set, in git and DVC.

    Any number of processes may use it at once: those that change something wait for each other.
    Every method raises DataRepoError, with the words of git or DVC, when one of the two refuses.
    """

    path: str = Field(description="Folder for this machine's clone and DVC cache; nothing else may touch it.")
    origin: str = Field(description="The shared git repository: a folder (created when first written to) or a URL.")
    remote: str = Field(description="The shared DVC remote: a folder or a URL such as s3://bucket/prefix.")
    remote_options: dict[str, str] = Field(default={}, description="DVC's options for it; never in git.")

    def accepted(self) -> DataVersion | None:
        """The version on `main`; None when nothing was ever accepted."""
        git = self._mirror()
        commit = git.resolve("main")
        return _version(git, "main", commit) if commit else None

    def propose(
        self, drop_id: str, files: Mapping[str, Path], manifest: Path, *, onto: str | None = "main"
    ) -> DataVersion:
        """Publish branch `data/<drop_id>`: `main` as it is now, plus these files and the drop's manifest.

        Proposing the same again returns an equal version; proposing other files or another manifest under the
        same id replaces the branch, and what it was stays in the history. The content is on the DVC remote before
        the branch appears.

        Args:
            drop_id: letters, digits, `.`, `_` and `-`.
            files: `images/<name>` or `masks/<name>` to the local file. What `main` has already is skipped.
            manifest: local file that becomes `manifest/<drop_id>-<content>.parquet`, beside those that earlier versions
                of the drop brought.
            onto: the accepted commit that the manifest was made for, None when there was none; by default it fits any.

        Raises:
            MainMovedError: something else is accepted by now than `onto`.
            DataRepoError: a name exists in `main` with other content; an id, name or file is unusable.
        """
        check_names(drop_id, files)
        branch = f"data/{drop_id}"
        rows = dvc_content.read(manifest)
        name = f"{drop_id}-{hashlib.sha256(rows).hexdigest()[:12]}"
        changed = {f"manifest/{name}.parquet": rows, ".dvc/config": self._shared_config()}
        with self._lock():
            git = self._mirror()
            main = git.resolve("main")
            old = folders_of(git, main) if main else {}
            if onto not in ("main", main if old else None):
                raise MainMovedError(f"main took other data while {branch} was made ready: run it again.")
            with self._content() as content:
                new = {name: content.extend(old.get(name), _inside(name, files)) for name in FOLDERS}
                for name, folder in new.items():
                    content.push(folder.md5, known=old[name].md5 if name in old else None)
            changed |= {f"{name}.dvc": new[name].dump(name) for name in FOLDERS if new[name] != old.get(name)}
            commit = commit_on(git, main, branch, changed)
            self._publish(git, commit, drop_id, main)
        return DataVersion(branch, commit, new["images"].md5, new["masks"].md5)

    def _publish(self, git: Git, commit: str, drop_id: str, main: str | None) -> None:
        """Move the drop's branch; what it leaves behind is kept unless `main` holds it."""
        branch = f"data/{drop_id}"
        replaced = git.resolve(branch)
        if commit == replaced:
            return
        if replaced and not (main and git.is_ancestor(replaced, of=main)):
            git.keep(self._origin, replaced, f"replaced/{drop_id}/{replaced[:12]}")
        git.push(self._origin, commit, branch, replacing=replaced)

    def accept(self, version: DataVersion) -> DataVersion:
        """Move `main` forward to a proposed version; returns it as accepted. Doing it again changes nothing.

        Raises:
            DataRepoError: `main` moved since the drop was proposed, or the version is not what git has.
        """
        with self._lock():
            git = self._mirror()
            main = git.resolve("main")
            if not git.resolve(version.commit) or _version(git, version.branch, version.commit) != version:
                raise DataRepoError(f"{version.branch}: {self.origin} has no such version: propose again.")
            if main and git.is_ancestor(version.commit, of=main):
                return replace(version, branch="main")
            if main and not git.is_ancestor(main, of=version.commit):
                raise DataRepoError(_moved(version))
            try:
                git.push(self._origin, version.commit, "main", replacing=main)
            except DataRepoError as error:
                if self._mirror().resolve("main") == main:
                    raise
                raise DataRepoError(_moved(version)) from error
        return replace(version, branch="main")

    def manifest_ids(self, rev: str = "main") -> dict[str, str]:
        """Name of each manifest to git's id of its content, at a branch or commit of `origin`.

        Empty as long as there is no `main`; any other `rev` that does not exist is a DataRepoError.
        """
        git = self._mirror()
        commit = git.resolve(rev)
        if commit is None:
            if rev == "main":
                return {}
            raise DataRepoError(f"{self.origin} has no branch or commit {rev}: look at `git ls-remote`.")
        return data_commits.manifest_ids(git, commit)

    def history(self) -> Iterator[Recorded]:
        """Every version that was accepted or proposed, newest first, as far as the caller asks."""
        git = self._mirror()
        for commit in data_commits.history(git):
            branch = "main" if "main" in commit.branches else next(iter(commit.branches), "")
            if version := _version(git, branch, commit.id):
                ids = tuple(data_commits.manifest_ids(git, commit.id).values())
                yield Recorded(version, commit.created, commit.branches, commit.accepted, ids)

    def manifests(self, ids: Iterable[str]) -> list[bytes]:
        """The Parquet bytes of manifests, by git's ids as `manifest_ids` gave them, in that order."""
        return Git(self._folder / "git").contents(f"100644 blob {each}" for each in ids)

    def materialize(self, version: DataVersion, folder: Path) -> Path:
        """Make `folder` hold `images/` and `masks/` of a version, unless it exists already; returns it.

        It is there whole or not at all. Its files are read-only, hard links to the DVC cache if possible.
        """
        if folder.exists():
            return folder
        partial = folder.with_name(f".{folder.name}.partial")
        with self._lock(), self._content() as content:
            if folder.exists():  # another process made it while this one waited
                return folder
            if partial.exists():
                shutil.rmtree(partial)
            content.export(version.images_md5, partial / "images")
            content.export(version.masks_md5, partial / "masks")
            partial.rename(folder)
        return folder

    def branch(self, name: str) -> Branch:
        """A branch of small files beside the data."""
        return Branch(Git(self._folder / "git"), self._origin, name)

    @property
    def _folder(self) -> Path:
        return Path(self.path).absolute()

    @property
    def _origin(self) -> str:
        return str(Path(self.origin).absolute()) if is_folder(self.origin) else self.origin

    @property
    def _remote(self) -> str:
        return self.remote if "://" in self.remote else str(Path(self.remote).absolute())

    def _lock(self) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{self._folder}.lock")

    def _mirror(self) -> Git:
        git = Git(self._folder / "git")
        git.mirror(self._origin)
        return git

    def _content(self) -> AbstractContextManager[Content]:
        return dvc_content.opened(self._folder, self._remote, self.remote_options)

    def _shared_config(self) -> bytes:
        name = dvc_content.REMOTE_NAME
        return f'[core]\n    remote = {name}\n[\'remote "{name}"\']\n    url = "{self._remote}"\n'.encode()


def _inside(folder: str, files: Mapping[str, Path]) -> dict[str, Path]:
    return {name.removeprefix(f"{folder}/"): p for name, p in files.items() if name.startswith(f"{folder}/")}


def _version(git: Git, branch: str, commit: str) -> DataVersion | None:
    folders = folders_of(git, commit)
    return DataVersion(branch, commit, folders["images"].md5, folders["masks"].md5) if folders else None


def _moved(version: DataVersion) -> str:
    return f"main has taken other data since {version.branch} was proposed: propose again, then accept that."
