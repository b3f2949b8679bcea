"""Runs whose process died are ended, so that the queue behind them moves and people see what happened."""

import dagster as dg

from wms_resources.orphans import end_orphaned_runs
from wms_resources.tracking import Tracking


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def dead_runs(context: dg.SensorEvaluationContext, tracking: Tracking) -> dg.SkipReason:
    """Marks Dagster runs as failed and MLflow runs as killed when the process that owned them is gone."""
    runs, attempts = end_orphaned_runs(context.instance), tracking.end_orphans()
    return dg.SkipReason(f"ended {len(runs)} dead runs and {len(attempts)} dead training attempts")
