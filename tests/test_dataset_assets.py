"""From a drop to a data version in Dagster: what stops, what warns, what is set aside and comes back."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from tests.quality_folder import SIZE, Folder, mask
from wms_assets.dataset import DROP_TAG, OUTAGE_TAG, quality_checks, raw_dataset, validated_dataset
from wms_ml.errors import DropError
from wms_resources.data_repo import DataRepo, DataVersion
from wms_resources.drop_folder import drop_files
from wms_resources.handover import Handover
from wms_resources.inspector import Inspector
from wms_resources.manifests import pairs_at
from wms_resources.quarantine import Quarantine
from wms_resources.store import Store
from wms_resources.workspace import Workspace


@dataclass
class Setup:
    """The data part of a set-up below `home`."""

    home: Path

    def __post_init__(self) -> None:
        self.store = Store(url=str(self.home / "store"), settle_seconds=0, own=True)
        self.repo = DataRepo(path=str(self.home / "d"), origin=str(self.home / "o.git"), remote=str(self.home / "r"))
        self.quarantine = Quarantine(folder=str(self.home / "quarantine"))
        self.instance = dg.DagsterInstance.ephemeral()

    def run(self, drop: str, version: str = "", *, aside: bool = False, **more: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [raw_dataset, quality_checks, validated_dataset],
            instance=self.instance,
            resources={
                "store": self.store,
                "data_repo": self.repo,
                "inspector": Inspector(folder=str(self.home / "quality"), quarantine=aside, **more),
                "quarantine": self.quarantine,
                "workspace": Workspace(home=str(self.home)),
                "io_manager": Handover(folder=str(self.home / "handover")),
            },
            run_config={"ops": {"raw_dataset": {"config": {"drop": drop, "version": version}}}},
            raise_on_error=False,
        )

    def accept(self, done: dg.ExecuteInProcessResult) -> None:
        data = done.output_for_node("validated_dataset")
        self.repo.accept(DataVersion(data.branch, data.commit, data.images_md5, data.masks_md5))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "home")


def materialized(done: dg.ExecuteInProcessResult) -> list[str]:
    return [event.asset_key.to_user_string() for event in done.get_asset_materialization_events() if event.asset_key]


def check(done: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    return next(each for each in done.get_asset_check_evaluations() if each.check_name == name)


def test_a_pair_says_which_drop_brought_it_when_and_by_whom(setup: Setup, folder: Folder) -> None:
    drop = setup.store.put(drop_files(folder.path), "first")
    setup.accept(setup.run("first"))
    pairs = pairs_at(setup.repo)
    assert [pair.name for pair in pairs] == ["a", "b", "c"]
    assert {(pair.drop, pair.dropped_at, pair.dropped_by) for pair in pairs} == {("first", drop.created, drop.by)}


def test_an_error_stops_the_drop_and_shows_the_files_in_its_check(setup: Setup, folder: Folder) -> None:
    folder.put("masks/b.png", Image.new("L", SIZE))
    setup.store.put(drop_files(folder.path), "first")
    done = setup.run("first")
    assert not done.success
    assert materialized(done) == ["raw_dataset"]
    failed = check(done, "mask_empty")
    assert failed.severity is dg.AssetCheckSeverity.ERROR
    assert "masks/b.png" in str(failed.description)
    assert "data:image/jpeg" in str(failed.metadata["details"].value)
    assert setup.repo.accepted() is None
    assert setup.quarantine.entries() == []


def test_a_warning_warns_and_the_drop_goes_on(setup: Setup, folder: Folder) -> None:
    setup.store.put(drop_files(folder.path), "first")
    done = setup.run("first", thresholds={"min_side": 500})
    assert done.success
    warned = check(done, "unusual_resolution")
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_what_is_accepted_is_asked_and_not_decoded_again(
    setup: Setup, folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    setup.store.put(drop_files(folder.path), "first")
    setup.accept(setup.run("first"))
    folder.pair("d", 9)
    setup.store.put(drop_files(folder.path), "second")
    (setup.home / "quality" / "readings.db").unlink()
    with caplog.at_level(logging.INFO, "wms_ml.quality.check"):
        setup.accept(setup.run("second"))
    assert "second: 8 pictures, 2 of them new and decoded" in caplog.text
    assert {pair.name: pair.drop for pair in pairs_at(setup.repo)} == {
        "a": "first",
        "b": "first",
        "c": "first",
        "d": "second",
    }


def test_a_later_version_of_an_accepted_drop_adds_to_it(setup: Setup, folder: Folder) -> None:
    setup.store.put(drop_files(folder.path), "first")
    setup.accept(setup.run("first"))
    folder.pair("d", 9)
    for path in ("images/d.jpg", "masks/d.png"):
        (setup.home / "store/drops/first" / path).write_bytes((folder.path / path).read_bytes())
    setup.accept(setup.run("first"))
    assert {(pair.name, pair.drop) for pair in pairs_at(setup.repo)} == {(name, "first") for name in "abcd"}


def test_a_name_with_other_content_is_a_conflict_and_overwrites_nothing(setup: Setup, folder: Folder) -> None:
    setup.store.put(drop_files(folder.path), "first")
    setup.accept(setup.run("first"))
    before = pairs_at(setup.repo)
    folder.pair("a", 9)
    setup.store.put(drop_files(folder.path), "second")
    done = setup.run("second")
    assert not check(done, "name_taken").passed
    assert materialized(done) == ["raw_dataset"]
    assert pairs_at(setup.repo) == before


def test_a_version_that_is_gone_is_left_to_the_run_of_the_new_one(setup: Setup, folder: Folder) -> None:
    sent = setup.store.put(drop_files(folder.path), "first")
    folder.pair("d", 9)
    for path in ("images/d.jpg", "masks/d.png"):
        (setup.home / "store/drops/first" / path).write_bytes((folder.path / path).read_bytes())
    done = setup.run("first", sent.version)
    assert done.success
    assert materialized(done) == []
    assert materialized(setup.run("first", setup.store.drop("first").version)) == ["raw_dataset", "validated_dataset"]


def test_a_run_that_meets_an_outage_says_so_in_its_tags(setup: Setup, folder: Folder) -> None:
    sent = setup.store.put(drop_files(folder.path), "first")
    setup.store = Store(url=str(setup.home / "unmounted"))
    done = setup.run("first", sent.version)
    assert not done.success
    run = setup.instance.get_run_by_id(done.run_id)
    assert run is not None
    assert OUTAGE_TAG in run.tags
    assert DROP_TAG not in run.tags


# Quarantine


def spoiled(folder: Folder) -> None:
    folder.put("masks/b.png", Image.new("L", SIZE))
    folder.put("images/notes.txt.zip", b"x")


def test_in_quarantine_bad_pairs_are_set_aside_and_the_others_go_on(setup: Setup, folder: Folder) -> None:
    spoiled(folder)
    setup.store.put(drop_files(folder.path), "first")
    done = setup.run("first", aside=True)
    assert done.success
    assert check(done, "mask_empty").severity is dg.AssetCheckSeverity.WARN
    setup.accept(done)
    assert [pair.name for pair in pairs_at(setup.repo)] == ["a", "c"]
    entries = {entry.name: entry for entry in setup.quarantine.entries()}
    assert set(entries) == {"b", "images/notes.txt.zip"}
    assert entries["b"].files == ("images/b.jpg", "masks/b.png")
    assert "marks 0 pixels" in entries["b"].reasons[0]
    kept = setup.quarantine.files_of([entries["b"]])
    assert {path: file.read_bytes() for path, file in kept.items()} == {
        path: (folder.path / path).read_bytes() for path in entries["b"].files
    }


def test_setting_aside_twice_keeps_what_people_mended(setup: Setup, folder: Folder) -> None:
    spoiled(folder)
    setup.store.put(drop_files(folder.path), "first")
    setup.run("first", aside=True)
    (entry, *_) = setup.quarantine.entries()
    mended = setup.quarantine.files_of([entry])["masks/b.png"]
    mask().save(mended)
    setup.run("first", aside=True)
    assert mended.read_bytes() != (folder.path / "masks/b.png").read_bytes()


def test_a_mended_pair_comes_back_as_a_drop_of_its_own(setup: Setup, folder: Folder) -> None:
    spoiled(folder)
    setup.store.put(drop_files(folder.path), "first")
    setup.accept(setup.run("first", aside=True))
    (entry, *_) = setup.quarantine.entries()
    waiting = setup.quarantine.waiting(entry.batch, ["b"])
    mask().save(setup.quarantine.files_of(waiting)["masks/b.png"])
    back = setup.store.put(setup.quarantine.files_of(waiting))
    setup.quarantine.note_release(waiting, back.drop_id)
    setup.accept(setup.run(back.drop_id, aside=True))
    assert {pair.name for pair in pairs_at(setup.repo)} == {"a", "b", "c"}
    assert {entry.name: entry.released for entry in setup.quarantine.entries()}["b"] == back.drop_id
    with pytest.raises(DropError, match="released already"):
        setup.quarantine.waiting(entry.batch, ["b"])


def test_a_drop_without_one_good_pair_is_stopped_in_quarantine_too(setup: Setup, folder: Folder) -> None:
    for name in "abc":
        folder.put(f"masks/{name}.png", Image.new("L", SIZE))
    setup.store.put(drop_files(folder.path), "first")
    done = setup.run("first", aside=True)
    assert not done.success
    assert check(done, "mask_empty").severity is dg.AssetCheckSeverity.ERROR
    assert setup.quarantine.entries() == []


def test_asking_for_what_is_not_set_aside_says_what_is(setup: Setup, folder: Folder) -> None:
    with pytest.raises(DropError, match="set aside is nothing"):
        setup.quarantine.waiting("first")
    spoiled(folder)
    setup.store.put(drop_files(folder.path), "first")
    setup.run("first", aside=True)
    with pytest.raises(DropError, match="first-"):
        setup.quarantine.waiting("second")


def test_a_damaged_list_is_named(setup: Setup, folder: Folder) -> None:
    spoiled(folder)
    setup.store.put(drop_files(folder.path), "first")
    setup.run("first", aside=True)
    (why,) = (setup.home / "quarantine").glob("*/why.json")
    why.write_text(json.dumps([1]))
    with pytest.raises(DropError, match=r"first-.* is damaged"):
        setup.quarantine.entries()
