"""Runs whose process died: found by the process they named, and ended, so that nothing waits for them for ever.

Dagster's default launcher cannot see whether a run's process lives; a killed one stays STARTED and, with one
pipeline at a time, would block all that follow.
"""

from collections.abc import Mapping
from typing import Final

import dagster as dg

from wms_resources.process import ProcessName, is_alive, this_process

OWNER_TAG: Final = "wms/owner"


def claim_run(context: dg.AssetExecutionContext | dg.OpExecutionContext, tags: Mapping[str, str] | None = None) -> None:
    """Note which process works on this run, and what else is worth finding it by."""
    context.instance.add_run_tags(context.run_id, {OWNER_TAG: this_process().encode(), **(tags or {})})


def end_orphaned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark running runs as failed whose process is gone.

    Returns:
        their ids.
    """
    ended = []
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    for run in instance.get_runs(unfinished):
        owner = ProcessName.decode(run.tags.get(OWNER_TAG, ""))
        if owner and not is_alive(owner):
            instance.report_run_failed(run, f"its process (pid {owner.pid} on {owner.host}) died: run the job again")
            ended.append(run.run_id)
    return ended
