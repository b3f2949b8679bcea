"""When what serves is not what is in production, deploy again: after a move by hand, a killed run, a lost cluster."""

import time
from typing import Final

import dagster as dg

from wms_assets.deployment_jobs import ONE_AT_A_TIME
from wms_assets.jobs import deploy_current
from wms_resources.deployment.deployer import Deployer
from wms_resources.deployment.deployment_status import difference
from wms_resources.deployment.environments import PRODUCTION

RECONCILES: Final = "wms/reconciles"
"""Tag of a run that this sensor asked for: the difference it is to mend."""

_UNDER_WAY: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FIRST_WAIT: Final = 300
_LONGEST_WAIT: Final = 6 * 3600
"""Seconds after a run that did not mend it; doubled from one to the next, up to the longest."""
_REFRESH: Final = 6 * 3600
"""Seconds between two pull secrets: those of ECR are good for twelve hours."""


@dg.sensor(job=deploy_current, minimum_interval_seconds=120, default_status=dg.DefaultSensorStatus.RUNNING)
def reconciler(
    context: dg.SensorEvaluationContext, deployer: dg.ResourceParam[Deployer]
) -> dg.RunRequest | dg.SkipReason:
    """Starts `deploy_current` where the version that serves in production is not the one in production.

    It waits for runs under way, and longer after each run that did not mend it. What was never deployed, or was
    stopped, stays away. It also keeps the cluster's right to pull images fresh.
    """
    _refresh(context, deployer)
    running = context.instance.get_runs(dg.RunsFilter(tags=ONE_AT_A_TIME, statuses=_UNDER_WAY), limit=1)
    if running:
        return dg.SkipReason(f"run {running[0].run_id[:8]} ({running[0].job_name}) is under way")
    found = difference(deployer)
    if not found:
        return dg.SkipReason("what serves is what is in production")
    tried = context.instance.get_run_records(dg.RunsFilter(tags={RECONCILES: found}), limit=8)
    if tried:
        wait = min(_FIRST_WAIT * 2 ** (len(tried) - 1), _LONGEST_WAIT)
        left = tried[0].create_timestamp.timestamp() + wait - time.time()
        if left > 0:
            run = tried[0].dagster_run.run_id[:8]
            return dg.SkipReason(f"{found}; run {run} did not mend it, next in {left:.0f} s")
    config = {"ops": {"deployed_image": {"config": {"environment": PRODUCTION}}}}
    return dg.RunRequest(run_config=config, tags={RECONCILES: found})


def _refresh(context: dg.SensorEvaluationContext, deployer: Deployer) -> None:
    last = float(context.cursor or 0)
    if time.time() - last > _REFRESH and deployer.environments.refresh_pull_secrets():
        context.update_cursor(str(time.time()))
