"""The drop sensor: one run per drop and version of its content, oldest first; an outage is seen."""

from pathlib import Path

import dagster as dg
import pytest

from tests.builders import drop_folder
from wms_ml.errors import StoreError
from wms_resources.drop_folder import drop_files
from wms_resources.store import Store
from wms_sensors.drops import new_drops


@dg.job
def by_hand() -> None:
    """Stands for any run that somebody started."""


def tick(store: Store, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, cursor=cursor, resources={"store": store})
        outcome = new_drops(context)
    assert isinstance(outcome, dg.SensorResult | dg.SkipReason)
    return outcome


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(url=str(tmp_path / "store"))


def drop(store: Store, folder: Path, name: str, seed: int) -> None:
    store.put(drop_files(drop_folder(folder / name, 1, seed=seed, size=(64, 64))), name)


def test_every_new_drop_gets_one_run_oldest_first(store: Store, tmp_path: Path) -> None:
    for seed, name in enumerate(["20260102-000000", "20260101-000000"]):
        drop(store, tmp_path, name, seed)
    first = tick(store)
    assert isinstance(first, dg.SensorResult)
    assert first.run_requests
    asked = [request.run_config["ops"]["raw_dataset"]["config"]["drop"] for request in first.run_requests]
    assert asked == ["20260101-000000", "20260102-000000"]
    assert isinstance(tick(store, first.cursor), dg.SkipReason)


def test_a_lost_cursor_asks_again_under_the_same_run_keys(store: Store, tmp_path: Path) -> None:
    drop(store, tmp_path, "a", 1)
    first, again = tick(store), tick(store)
    assert isinstance(first, dg.SensorResult)
    assert isinstance(again, dg.SensorResult)
    assert first.run_requests
    assert again.run_requests
    assert [each.run_key for each in first.run_requests] == [each.run_key for each in again.run_requests]


def test_a_drop_that_was_run_by_hand_has_had_its_run(store: Store, tmp_path: Path) -> None:
    drop(store, tmp_path, "a", 1)
    (ready,) = store.drops()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(job_def=by_hand, tags={"wms/drop": ready.key})
        outcome = new_drops(dg.build_sensor_context(instance, resources={"store": store}))
    assert isinstance(outcome, dg.SensorResult)
    assert outcome.run_requests == []
    assert outcome.cursor == ready.key


def test_nothing_new_is_skipped_with_a_reason(store: Store) -> None:
    outcome = tick(store)
    assert isinstance(outcome, dg.SkipReason)
    assert "no new drop" in str(outcome.skip_message)


def test_a_store_that_cannot_be_listed_is_an_error_not_an_idle_tick(tmp_path: Path) -> None:
    blocked = tmp_path / "store"
    blocked.mkdir()
    (blocked / "drops").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="WMS_STORE_URL"):
        tick(Store(url=str(blocked)))
