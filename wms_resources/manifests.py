"""The manifests of the data repository as rows: what a version of the data holds, pair by pair, or asked by key."""

from wms_ml.catalogue import Accepted, Catalogue
from wms_ml.pairs import Pair, read_manifest
from wms_resources.data_repo import DataRepo


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
