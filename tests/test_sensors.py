"""The drop sensor: one run per drop and version, oldest first, whatever it forgets; an outage is seen."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from wms_assets.dataset import DROP_TAG, LISTING_TAG, OUTAGE_TAG
from wms_ml.errors import StoreError
from wms_resources.objects import open_objects
from wms_resources.store import Store
from wms_sensors import drops as sensor
from wms_sensors.horizon import Horizon


@dg.job
def anything() -> None:
    """Stands for the job of a run."""


class Daemon:
    """What Dagster's daemon does around a sensor: keeps the cursor, starts a run per new run key."""

    def __init__(self, instance: dg.DagsterInstance, store: Store) -> None:
        self.instance = instance
        self.store = store
        self.cursor: str | None = None
        self.said = ""

    def tick(self) -> list[str]:
        """Drops that runs were started for."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"store": self.store})
        outcome: Any = sensor.new_drops(context)
        self.cursor = context.cursor
        self.said = ""
        if isinstance(outcome, dg.SkipReason):
            self.said = str(outcome.skip_message)
            return []
        self.cursor = outcome.cursor
        started = []
        for request in outcome.run_requests:
            tags = {"dagster/run_key": request.run_key}
            if not self.instance.get_runs(dg.RunsFilter(tags=tags)):
                self.instance.create_run_for_job(anything, tags={**request.tags, **tags})
                started.append(request.run_config["ops"]["raw_dataset"]["config"]["drop"])
        return started

    def until_idle(self) -> list[str]:
        started: list[str] = []
        while new := self.tick():
            started += new
        return started

    def sweep(self) -> list[str]:
        """Ticks after the time of a sweep has come."""
        self.cursor = Horizon.read(self.cursor).model_copy(update={"reconciled": 0.0}).model_dump_json()
        return self.until_idle()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "bucket":
        return Store(url=request.getfixturevalue("bucket"), settle_seconds=0)
    return Store(url=str(tmp_path / "store"), settle_seconds=0, own=True)


@pytest.fixture
def daemon(store: Store) -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance, store)
        daemon.until_idle()  # so that no sweep is due in the test
        yield daemon


def write(store: Store, path: str, content: bytes = b"x") -> None:
    open_objects(store.url).write(f"drops/{path}", content)


def drop(store: Store, *names: str) -> None:
    for name in names:
        write(store, f"{name}/images/a.jpg")


def test_every_new_drop_gets_one_run_oldest_first(daemon: Daemon, store: Store) -> None:
    drop(store, "20260102-000000", "20260101-000000", "april")
    assert daemon.tick() == ["20260101-000000", "20260102-000000", "april"]
    assert daemon.tick() == []
    assert "no new drop" in daemon.said


def test_a_lost_or_damaged_cursor_starts_nothing_twice(daemon: Daemon, store: Store) -> None:
    drop(store, "20260101-000000")
    assert daemon.tick() == ["20260101-000000"]
    for cursor in (None, "", "20260101-000000:abc", "{", '{"seen": 1}'):
        daemon.cursor = cursor
        assert daemon.until_idle() == []


def test_a_drop_that_was_run_by_hand_has_had_its_run(daemon: Daemon, store: Store) -> None:
    drop(store, "a")
    daemon.instance.create_run_for_job(anything, tags={DROP_TAG: store.drop("a").key})
    assert daemon.tick() == []
    write(store, "a/images/b.jpg")
    assert daemon.sweep() == ["a"]


def test_a_drop_that_is_not_ready_is_waited_for_by_name(daemon: Daemon, store: Store) -> None:
    daemon.store = Store(url=store.url, settle_seconds=3600)
    drop(store, "20260101-000000")
    assert daemon.tick() == []
    assert "20260101-000000" in daemon.said
    daemon.store = store
    assert daemon.tick() == ["20260101-000000"]


def test_an_older_drop_that_comes_within_a_day_is_seen_by_the_next_tick(daemon: Daemon, store: Store) -> None:
    drop(store, "20260102-120000")
    assert daemon.tick() == ["20260102-120000"]
    drop(store, "20260101-130000")
    assert daemon.tick() == ["20260101-130000"]


def test_what_ticks_cannot_see_is_found_by_the_sweep(daemon: Daemon, store: Store) -> None:
    drop(store, "20260102-120000", "20260110-120000")
    daemon.until_idle()
    write(store, "20260102-120000/images/late.jpg")
    drop(store, "20250101-000000", "1-odd", "+odd")
    assert daemon.tick() == []
    assert sorted(daemon.sweep()) == ["+odd", "1-odd", "20250101-000000", "20260102-120000"]
    assert daemon.sweep() == []


def test_an_id_from_the_future_hides_nothing(daemon: Daemon, store: Store) -> None:
    drop(store, "99991231-235959", "20269999-999999")
    assert len(daemon.until_idle()) == 2
    drop(store, "20260102-120000")
    assert daemon.tick() == ["20260102-120000"]


def test_a_tick_starts_so_many_runs_and_the_next_goes_on(
    daemon: Daemon, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensor, "MOST_RUNS", 2)
    names = [f"2026010{day}-000000" for day in range(1, 6)]
    drop(store, *names)
    assert [daemon.tick() for _ in range(4)] == [names[:2], names[2:4], names[4:], []]


def test_a_sweep_is_cut_into_parts_and_resumed(daemon: Daemon, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor, "MOST_ENTRIES", 1)
    drop(store, *(f"+{index}" for index in range(6)))
    daemon.cursor = Horizon.read(daemon.cursor).model_copy(update={"reconciled": 0.0}).model_dump_json()
    found, ticks = [], 0
    while len(found) < 6:
        found += daemon.tick()
        ticks += 1
        assert ticks < 20
    assert sorted(found) == [f"+{index}" for index in range(6)]


def test_with_very_many_named_drops_new_ones_are_left_to_the_sweep(
    daemon: Daemon, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensor, "MOST_NAMES", 3)
    drop(store, *"abcd")
    assert daemon.tick() == []
    assert daemon.sweep() == list("abcd")
    drop(store, "20260101-000000")
    assert daemon.tick() == ["20260101-000000"]


def test_files_beside_the_drops_do_no_harm(daemon: Daemon, store: Store) -> None:
    write(store, "pictures.zip")
    drop(store, "20250101-000000")
    assert daemon.sweep() == ["20250101-000000"]


def test_a_run_that_could_not_reach_the_store_is_asked_for_again(daemon: Daemon, store: Store) -> None:
    drop(store, "20260101-000000")
    for attempt in range(sensor._ATTEMPTS):
        assert (daemon.tick() if attempt == 0 else daemon.sweep()) == ["20260101-000000"]
        (run,) = daemon.instance.get_runs(limit=1)
        daemon.instance.add_run_tags(run.run_id, {OUTAGE_TAG: run.tags[LISTING_TAG]})
    assert daemon.sweep() == []


def test_a_broken_manifest_gets_a_run_that_says_so_and_blocks_nobody(daemon: Daemon, store: Store) -> None:
    drop(store, "20260101-000000", "20260102-000000")
    write(store, "20260101-000000/manifest.json", b"{")
    assert daemon.tick() == ["20260101-000000", "20260102-000000"]


def test_a_store_that_cannot_be_listed_is_an_error_and_the_cursor_stays(daemon: Daemon, store: Store) -> None:
    drop(store, "20260101-000000")
    daemon.tick()
    before = daemon.cursor
    daemon.store = Store(url=f"{store.url}-gone")
    with pytest.raises(StoreError, match="WMS_STORE_URL"):
        daemon.tick()
    assert daemon.cursor == before
    daemon.store = store
    drop(store, "20260102-000000")
    assert daemon.tick() == ["20260102-000000"]


def test_one_unreadable_drop_is_an_error_once_the_others_are_served(tmp_path: Path) -> None:
    store = Store(url=str(tmp_path / "store"), settle_seconds=0, own=True)
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance, store)
        daemon.until_idle()
        drop(store, "20260101-000000", "20260102-000000")
        loop = tmp_path / "store/drops/20260101-000000/manifest.json"
        loop.symlink_to(loop)
        assert daemon.tick() == ["20260102-000000"]
        with pytest.raises(StoreError, match=r"20260101-000000/manifest\.json"):
            daemon.tick()


def test_what_is_remembered_stays_small() -> None:
    horizon = Horizon()
    for part in range(20):
        start = 1_700_000_000 + 150 * part
        moments = [time.strftime("%Y%m%d-%H%M%S", time.gmtime(start + second)) for second in range(150)]
        named = [f"named-{part}-{index}" for index in range(150)]
        horizon = horizon.after([*moments, *named], [f"waiting-{part}-{index}" for index in range(150)])
    assert len(horizon.model_dump_json()) < 60_000
    assert horizon.floor < moments[-1]
    assert moments[-1] in horizon.seen
