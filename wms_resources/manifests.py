"""The manifest of the data repository as rows: what a version of the data holds, pair by pair."""

from wms_ml.pairs import Pair, read_manifest
from wms_resources.data_repo import DataRepo


def pairs_at(repo: DataRepo, rev: str = "main") -> list[Pair]:
    """Rows of every drop's manifest at a branch or commit; none before anything was accepted.

    Raises:
        DataRepoError: the repository does not answer, or `rev` does not exist.
        DataError: a manifest is damaged.
    """
    return [pair for content in repo.manifests(rev).values() for pair in read_manifest(content)]
