"""What a move of `production` by hand brings with it: it shows in the UI, the version gets its card, its data is main.

A run does the same in `production_model`. Doing it again changes nothing, so a command that was cut off is repeated.
"""

from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from wms.settings import Settings
from wms_resources.after_promotion import settle
from wms_resources.data_repo import DataVersion
from wms_resources.production_records import history_table
from wms_resources.promotion import Promotion
from wms_resources.registry import ModelVersion

if TYPE_CHECKING:
    from wms.definitions import Resources

ASSET: Final = "production_model"


def follow_up(settings: Settings, parts: "Resources", done: Promotion, by: str, reason: str) -> None:
    """Report the move to Dagster, accept the version's data, and attach its model card.

    Raises:
        RegistryError: the registry does not answer.
        DataRepoError: the data repository does not answer, or `main` has taken other data since: drop these again.
    """
    _report(settings, parts, done, by, reason)
    version = done.version
    sheets = parts.workspace.test_scores(version.data_version, version.version)
    settle(parts.registry, parts.data_repo, done, _trained_on(version), sheets)


def _report(settings: Settings, parts: "Resources", done: Promotion, by: str, reason: str) -> None:
    """A materialization without a run, unless the newest one is of this version already."""
    from wms.runs import prepare_dagster_home

    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        newest = instance.get_latest_materialization_event(dg.AssetKey(ASSET))
        shown = newest.asset_materialization if newest else None
        if shown and shown.metadata.get("version") == dg.MetadataValue.text(done.version.version):
            return
        metadata: dict[str, Any] = {
            "version": done.version.version,
            "data version": done.version.data_version,
            "replaced": done.replaced.version if done.replaced else "none",
            "by": by,
            "reason": reason,
            "history": dg.MetadataValue.md(history_table(parts.promoter.history())),
            **done.version.metrics,
        }
        if done.verdict:
            metadata["comparison"] = dg.MetadataValue.md(done.verdict.table())
        said = f"{'promoted' if done.verdict else 'rolled back'} by {by}: {reason}"
        instance.report_runless_asset_event(dg.AssetMaterialization(ASSET, description=said, metadata=metadata))


def _trained_on(version: ModelVersion) -> DataVersion | None:
    """The data that a version was trained on; None when it does not say."""
    tags = version.tags
    if "commit" not in tags:
        return None
    return DataVersion(f"data/{tags['drop']}", tags["commit"], tags["images_md5"], tags["masks_md5"])
