"""A branch of small files in the data repository, moved by compare-and-set.

The push is the moment at which something has happened, on every machine: whoever decided on the ground of an older
commit is refused, and whoever is killed before it has done nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wms_ml.errors import DataRepoError
from wms_resources.git import Git


class BranchMovedError(DataRepoError):
    """The branch is not any more what was read of it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of the shared repository.

    Attributes:
        git: this machine's mirror of it.
        origin: the shared repository, an absolute path or a URL.
        name: the branch.
    """

    git: Git
    origin: str
    name: str

    def read(self) -> tuple[str | None, dict[str, bytes]]:
        """The commit at its end and the files there, by path; None and no files while it does not exist.

        Raises:
            DataRepoError: the origin does not answer.
        """
        commit = self._tip()
        files = self.git.files(commit) if commit else {}
        return commit, dict(zip(files, self.git.contents(files.values()), strict=True))

    def write(self, files: Mapping[str, bytes], message: str, *, replacing: str | None) -> None:
        """Add or change files, in one commit after `replacing`, which must still be its end.

        Raises:
            BranchMovedError: it is not; nothing was changed.
            DataRepoError: the origin does not answer. Only reading it again tells whether the commit arrived.
        """
        kept = self.git.files(replacing) if replacing else {}
        tree = self.git.add_tree(kept | {path: self.git.add_file(content) for path, content in files.items()})
        commit = self.git.add_commit(tree, [replacing] if replacing else [], message)
        try:
            self.git.push(self.origin, commit, self.name, replacing=replacing)
        except DataRepoError as error:
            now = self._tip()
            if now and self.git.is_ancestor(commit, of=now):
                return  # it arrived, only the answer did not
            if now == replacing:
                raise
            raise BranchMovedError(f"branch {self.name} of {self.origin} was moved by somebody else") from error

    def _tip(self) -> str | None:
        self.git.mirror(self.origin)
        return self.git.resolve(f"refs/heads/{self.name}")
