"""When a drop is ready, run the pipeline for it: once per drop and version of its content."""

import dagster as dg

from wms_assets.dataset import DROP_TAG
from wms_assets.jobs import drop_to_deployment
from wms_resources.store import Store

MOST_PER_TICK = 10


@dg.sensor(job=drop_to_deployment, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def new_drops(context: dg.SensorEvaluationContext, store: Store) -> dg.SensorResult | dg.SkipReason:
    """Starts `drop_to_deployment` for every ready drop, oldest first.

    A drop that somebody ran by hand has had its run. The run key is the drop's id and content version, so Dagster
    itself sees to once. A store that cannot be reached is an error of the tick, not an idle one.
    """
    seen = set((context.cursor or "").split())
    drops = store.drops()
    unseen = [drop for drop in drops if drop.key not in seen][:MOST_PER_TICK]
    if not unseen:
        return dg.SkipReason(f"no new drop among {len(drops)} in {store.url}/drops")
    new = [drop for drop in unseen if not context.instance.get_run_ids(dg.RunsFilter(tags={DROP_TAG: drop.key}))]
    requests = [
        dg.RunRequest(
            run_key=drop.key,
            run_config={"ops": {"raw_dataset": {"config": {"drop": drop.drop_id}}}},
            tags={DROP_TAG: drop.key},
        )
        for drop in new
    ]
    known = [drop.key for drop in drops if drop.key in seen] + [drop.key for drop in unseen]
    return dg.SensorResult(run_requests=requests, cursor=" ".join(known))
