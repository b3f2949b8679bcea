"""What a move of `production` brings with it, by a run or by hand: its data is `main`, it has its card.

The card is written anew when the version gets an image.
"""

from pathlib import Path

from wms_resources.data_repo import DataRepo, DataVersion
from wms_resources.manifests import pairs_at
from wms_resources.model_cards import attach_card
from wms_resources.production_records import ROLLBACK
from wms_resources.promotion import Promotion
from wms_resources.registry import ModelVersion, Registry
from wms_resources.workspace import Workspace


def settle(registry: Registry, repo: DataRepo, done: Promotion, data: DataVersion | None, sheets: Path) -> None:
    """Accept the data of a promoted version, and attach its card.

    Doing it again changes nothing, and finishes what a killed process left. A rollback takes no data in.

    Args:
        data: what the version was trained on; None when it does not say.
        sheets: folder with the contact sheets of its test pictures, which may be missing.

    Raises:
        RegistryError: the registry does not answer.
        DataRepoError: the data repository does not answer, or `main` has taken other data since: drop these again.
    """
    if data and not (done.line and done.line.action == ROLLBACK):
        repo.accept(data)
    attach_card(registry, done.version, pairs_at(repo, data.commit) if data else (), sheets)


def renew_card(registry: Registry, repo: DataRepo, workspace: Workspace, version: ModelVersion) -> None:
    """Attach a version's card once more, with what was noted of the version since.

    Raises:
        RegistryError: the registry does not answer.
        DataRepoError: the data repository does not answer.
    """
    data, sheets = trained_on(version), workspace.test_scores(version.data_version, version.version)
    attach_card(registry, version, pairs_at(repo, data.commit) if data else (), sheets)


def trained_on(version: ModelVersion) -> DataVersion | None:
    """The data that a version was trained on; None when it does not say."""
    tags = version.tags
    if "commit" not in tags:
        return None
    return DataVersion(f"data/{tags['drop']}", tags["commit"], tags["images_md5"], tags["masks_md5"])
