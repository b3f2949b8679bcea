"""The manifests of the data repository as rows: what a version of the data holds, pair by pair, or asked by key."""

from collections.abc import Sequence
from pathlib import Path

from wms_ml.catalogue import Accepted, Catalogue
from wms_ml.dataset import MANIFEST
from wms_ml.pairs import Pair, read_manifest, write_manifest
from wms_resources.data_repo import DataRepo, DataVersion


def pairs_at(repo: DataRepo, rev: str = "main") -> list[Pair]:
    """Rows of every drop's manifest at a branch or commit; none before anything was accepted.

    Raises:
        DataRepoError: the repository does not answer, or `rev` does not exist.
        DataError: a manifest is damaged.
    """
    contents = repo.manifests(repo.manifest_ids(rev).values())
    return [pair for content in contents for pair in read_manifest(content)]


def accepted_at(repo: DataRepo, catalogue: Catalogue, rev: str = "main") -> Accepted:
    """The same, to be asked: reads the manifests alone that `catalogue` does not have yet.

    Raises:
        DataRepoError: the repository does not answer, or `rev` does not exist.
        DataError: a manifest is damaged, or the catalogue's file cannot be used.
    """
    ids = set(repo.manifest_ids(rev).values())
    missing = sorted(catalogue.missing(ids))
    for key, content in zip(missing, repo.manifests(missing), strict=True):
        catalogue.add(key, read_manifest(content))
    return catalogue.at(ids)


def data_set(repo: DataRepo, version: DataVersion, pairs: Sequence[Pair], folder: Path) -> Path:
    """Make `folder` hold a version as programs take it: images/, masks/ and the manifest of its pairs; returns it.

    Raises:
        DataRepoError: the content cannot be had.
    """
    write_manifest(pairs, repo.materialize(version, folder) / MANIFEST)
    return folder
