"""When a drop is ready, run the pipeline for it: once per drop and version of its content."""

import time
from itertools import islice
from typing import Final

import dagster as dg

from wms_assets.dataset import DROP_TAG, LISTING_TAG, OUTAGE_TAG
from wms_assets.jobs import drop_to_deployment
from wms_ml.errors import StoreError
from wms_resources.objects import Entry
from wms_resources.readiness import Drop, listing_of
from wms_resources.store import Store
from wms_sensors.horizon import Horizon

MOST_RUNS: Final = 10
"""Runs that one tick starts at most; the next goes on where it stopped."""
MOST_LOOKS: Final = 200
MOST_ENTRIES: Final = 20_000
"""Files that a tick's part of a sweep lists, more or less."""
MOST_NAMES: Final = 500
"""Drops with names of people's own that every tick lists; where there are more, the sweep alone finds new ones."""
_ATTEMPTS: Final = 5
_ERRORS: Final = 3
_TIMES_END: Final = ":"
"""Sorts behind the ids that start with a digit."""


@dg.sensor(job=drop_to_deployment, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def new_drops(context: dg.SensorEvaluationContext, store: Store) -> dg.SensorResult | dg.SkipReason:
    """Starts `drop_to_deployment` for every ready drop, oldest first, once per version of its content.

    A tick lists the ids that are new since the last one. Every few minutes a sweep looks through everything and finds
    what ticks cannot see: files that came late, were overwritten or lie in older drops. What runs is decided by the
    runs there are, not by the cursor. A store that does not answer is an error of the tick, not an idle one.
    """
    hint = Horizon.read(context.cursor)
    tick = _Tick(context, store)
    moved = tick.look_at_new(hint)
    if not tick.requests:
        tick.raise_errors()
        moved = tick.sweep(moved)
    if tick.requests or tick.waiting or moved.sweep is not None:
        context.log.info("; ".join([*tick.waiting.values(), f"{len(tick.requests)} runs"]))
    if not tick.requests:
        tick.raise_errors()
        waiting = f"; waiting for {', '.join(tick.waiting.values())}" if tick.waiting else ""
        context.update_cursor(moved.model_dump_json())
        return dg.SkipReason(f"no new drop in {store.url}/drops{waiting}")
    return dg.SensorResult(run_requests=list(tick.requests.values()), cursor=moved.model_dump_json())


class _Tick:
    """One evaluation: what it asks for, and how much it may still do."""

    def __init__(self, context: dg.SensorEvaluationContext, store: Store) -> None:
        self._instance = context.instance
        self._log = context.log
        self._store = store
        self._looks = 0
        self._errors: list[StoreError] = []
        self.requests: dict[str, dg.RunRequest] = {}
        self.waiting: dict[str, str] = {}

    def look_at_new(self, hint: Horizon) -> Horizon:
        """Look at ids that are new or were not ready, in order."""
        seen = {*hint.seen, *hint.waiting}
        timed = self._store.names(hint.floor, before=_TIMES_END)
        names = list(islice((name for name in timed if name not in seen), MOST_LOOKS))
        named = list(islice(self._store.names(max(hint.floor, _TIMES_END)), MOST_NAMES + 1))
        if len(named) <= MOST_NAMES:
            names += [name for name in named if name not in seen]
        done = []
        for name in sorted([*hint.waiting, *names]):
            if self._full:
                break
            if self._look(name):
                done.append(name)
        still = {*hint.waiting, *self.waiting} - set(done)
        return hint.after(done, still)

    def sweep(self, hint: Horizon) -> Horizon:
        """Go on looking through everything, when that is under way or due."""
        if hint.sweep is None and time.time() - hint.reconciled < self._store.reconcile_seconds:
            return hint
        known = self._known_listings()
        listed = 0
        for name, entries in self._store.listings(hint.sweep or ""):
            if not name:
                strays = ", ".join(entry.path for entry in entries[:5])
                self._log.warning(f"beside the drops lie files, which nothing reads: {strays}. A drop is a folder")
            elif f"{name}:{listing_of(entries)}" not in known:
                self._look(name, entries)
            listed += len(entries)
            if name and (self._full or listed > MOST_ENTRIES):
                return self._swept(hint, name)
        return self._swept(hint, None).model_copy(update={"reconciled": time.time()})

    def _swept(self, hint: Horizon, where: str | None) -> Horizon:
        return hint.after([], {*hint.waiting, *self.waiting}).model_copy(update={"sweep": where})

    def raise_errors(self) -> None:
        """Make an outage the tick's error; where some drops could be read, they come first."""
        if self._errors:
            raise self._errors[0]

    @property
    def _full(self) -> bool:
        busy = len(self.requests) >= MOST_RUNS or self._looks >= MOST_LOOKS
        return busy or len(self._errors) >= _ERRORS

    def _look(self, name: str, entries: list[Entry] | None = None) -> bool:
        """Ask for a run if the drop needs one; False when it has to be looked at again."""
        self._looks += 1
        try:
            found = self._store.look(name, entries)
        except StoreError as error:
            self._log.error(str(error))
            self._errors.append(error)
            self.waiting[name] = f"{name} (unreadable)"
            return False
        if isinstance(found, Drop):
            self._request(found)
            return True
        self.waiting[name] = f"{name} ({found.reason})"
        return False

    def _request(self, drop: Drop) -> None:
        runs = self._instance.get_runs(dg.RunsFilter(tags={DROP_TAG: drop.key}))
        lost = sum(OUTAGE_TAG in run.tags for run in runs)
        newest = {run.root_run_id or run.run_id: run for run in reversed(runs)}  # of a run and its retries, the last
        if any(OUTAGE_TAG not in run.tags for run in newest.values()) or lost >= _ATTEMPTS:
            return
        config = {"drop": drop.drop_id, "version": drop.version}
        self.requests[drop.key] = dg.RunRequest(
            run_key=f"{drop.key}:{lost}" if lost else drop.key,
            run_config={"ops": {"raw_dataset": {"config": config}}},
            tags={DROP_TAG: drop.key, LISTING_TAG: f"{drop.drop_id}:{drop.listing}"},
        )

    def _known_listings(self) -> set[str]:
        """Listings of drops that had their run; one that was lost in an outage is looked at again."""
        found = dict(self._instance.get_run_tags(tag_keys=[LISTING_TAG, OUTAGE_TAG]))
        return found.get(LISTING_TAG, set()) - found.get(OUTAGE_TAG, set())
