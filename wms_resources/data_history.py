"""Data versions as people ask for them: which there are, and any of them as a folder, bit for bit.

A version that was trained on may have been refused, replaced or left behind since. Its pictures are on the DVC remote
all the same and its manifests in git, so it can be had again under any name it was ever known by.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from wms_ml.errors import DataError, DataRepoError
from wms_ml.pairs import Pair, data_version, read_manifest
from wms_resources.data_repo import DataRepo, Recorded
from wms_resources.manifests import data_set

_NAMED: Final = 8
"""Versions that an error names, so that people see what a name looks like."""


@dataclass(frozen=True, slots=True)
class Edition:
    """A version in the history, with its pairs.

    Attributes:
        recorded: the version, when it was made, and what leads to it.
        pairs: its rows, by name.
        data_version: their version, 12 hex digits.
    """

    recorded: Recorded
    pairs: tuple[Pair, ...]
    data_version: str


def editions(repo: DataRepo, among: Iterable[Recorded] | None = None) -> Iterator[Edition]:
    """Every version, newest first, or those `among` them in their order. A manifest is read once for all that have it.

    Raises:
        DataRepoError: the repository does not answer.
        DataError: a manifest is damaged.
    """
    known: dict[str, list[Pair]] = {}
    for recorded in repo.history() if among is None else among:
        lacking = [each for each in recorded.manifests if each not in known]
        known.update(zip(lacking, map(read_manifest, repo.manifests(lacking)), strict=True))
        pairs = sorted((pair for each in recorded.manifests for pair in known[each]), key=lambda pair: pair.name)
        yield Edition(recorded, tuple(pairs), data_version(pairs))


def find(repo: DataRepo, rev: str) -> Edition:
    """The version that `rev` names; the newest where several have its content.

    Args:
        rev: `main`, a branch such as `data/<drop>`, a commit (7 digits or more), DVC's hash of images or masks (with
            or without `.dir`), or a data version (12 digits).

    Raises:
        DataRepoError: there is no such version, or the repository does not answer.
        DataError: a manifest is damaged.
    """
    recorded = []
    for each in repo.history():
        if _names(each, rev):
            return next(editions(repo, [each]))
        recorded.append(each)
    found = (each for each in editions(repo, recorded) if each.data_version == rev)
    edition = next(found, None)
    if edition is None:
        raise DataRepoError(f"{repo.origin} has no data version {rev}: {_what_there_is(recorded)}")
    return edition


def checkout(repo: DataRepo, edition: Edition, folder: Path) -> None:
    """Make `folder` hold `images/`, `masks/` and the manifest of a version: whole, or it stays as it was.

    The same version gives the same bytes on any machine. Pictures are read-only, links to the cache if possible.

    Raises:
        DataError: there is something at `folder` already, or it cannot be written to.
        DataRepoError: the content cannot be had.
    """
    refuse_taken(folder)
    place = folder.absolute()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as scratch:
            data_set(repo, edition.recorded.version, edition.pairs, Path(scratch) / "data").replace(place)
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({error}): choose another place with --out") from error


def refuse_taken(folder: Path) -> None:
    """Refuse a place where there is anything but an empty folder, as DataError."""
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise DataError(f"{folder} is taken: give --out a new or empty folder. Nothing there was changed.")


def _names(recorded: Recorded, rev: str) -> bool:
    version = recorded.version
    folders = (version.images_md5, version.masks_md5)
    return (
        rev in recorded.branches
        or (len(rev) >= 7 and version.commit.startswith(rev))
        or rev.removesuffix(".dir") in [md5.removesuffix(".dir") for md5 in folders]
    )


def _what_there_is(recorded: list[Recorded]) -> str:
    names = [name for each in recorded for name in each.branches or (each.version.commit[:12],)]
    if not names:
        return "it holds no data yet. `wms drop` brings some."
    more = " …" if len(names) > _NAMED else ""
    return f"there are {', '.join(names[:_NAMED])}{more}. `wms data list` shows all."
