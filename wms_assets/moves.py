"""Moves of `production` that no run of `production_model` made, shown in the UI all the same."""

from typing import Any

import dagster as dg

from wms_resources.production_records import history_table
from wms_resources.promotion import Promoter, Promotion


def report_move(instance: dg.DagsterInstance, promoter: Promoter, done: Promotion, by: str, reason: str) -> None:
    """Add a materialization without a run, unless the newest one is of this version already.

    Args:
        by: who moved it.
        reason: why.
    """
    key = dg.AssetKey("production_model")
    newest = instance.get_latest_materialization_event(key)
    shown = newest.asset_materialization if newest else None
    if shown and shown.metadata.get("version") == dg.MetadataValue.text(done.version.version):
        return
    metadata: dict[str, Any] = {
        "version": done.version.version,
        "data version": done.version.data_version,
        "replaced": done.replaced.version if done.replaced else "none",
        "by": by,
        "reason": reason,
        "history": dg.MetadataValue.md(history_table(promoter.history())),
        **done.version.metrics,
    }
    if done.verdict:
        metadata["comparison"] = dg.MetadataValue.md(done.verdict.table())
    said = f"{'promoted' if done.verdict else 'rolled back'} by {by}: {reason}"
    instance.report_runless_asset_event(dg.AssetMaterialization(key, description=said, metadata=metadata))
