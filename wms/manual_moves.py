"""What a move of `production` by hand brings with it: it shows in the UI, the version gets its card, its data is main.

A run does the same in `production_model`. Doing it again changes nothing, so a command that was cut off is repeated.
"""

from typing import TYPE_CHECKING

import dagster as dg

from wms.settings import Settings
from wms_assets.moves import report_move
from wms_resources.after_promotion import settle, trained_on
from wms_resources.promotion import Promotion

if TYPE_CHECKING:
    from wms.definitions import Resources


def follow_up(settings: Settings, parts: "Resources", done: Promotion, by: str, reason: str) -> None:
    """Report the move to Dagster, accept the version's data, and attach its model card.

    Raises:
        RegistryError: the registry does not answer.
        DataRepoError: the data repository does not answer, or `main` has taken other data since: drop these again.
    """
    _report(settings, parts, done, by, reason)
    version = done.version
    sheets = parts.workspace.test_scores(version.data_version, version.version)
    settle(parts.registry, parts.data_repo, done, trained_on(version), sheets)


def _report(settings: Settings, parts: "Resources", done: Promotion, by: str, reason: str) -> None:
    from wms.runs import prepare_dagster_home

    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        report_move(instance, parts.promoter, done, by, reason)
