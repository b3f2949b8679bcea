"""What a move of `production` brings with it, by a run or by hand: its data is `main`, it has its card."""

from pathlib import Path

from wms_resources.data_repo import DataRepo, DataVersion
from wms_resources.manifests import pairs_at
from wms_resources.model_cards import attach_card
from wms_resources.production_records import ROLLBACK
from wms_resources.promotion import Promotion
from wms_resources.registry import Registry


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
