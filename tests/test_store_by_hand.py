"""Drops that people copy or change by hand: ready once nothing changed for a while, each change a new version."""

import time
from pathlib import Path

import pytest

from tests.store_places import Place
from wms_ml.errors import DropChangedError, DropError
from wms_resources.readiness import NotReady

pytest_plugins = ["tests.store_places"]


def test_a_drop_copied_by_hand_is_ready_once_it_settled(place: Place) -> None:
    place.write("by-hand/images/a.jpg", b"picture")
    waiting = place.store.look("by-hand")
    assert isinstance(waiting, NotReady)
    assert "s ago" in waiting.reason
    assert place.settled("by-hand").drop_id == "by-hand"


def test_a_late_file_makes_another_version(place: Place, files: dict[str, Path], tmp_path: Path) -> None:
    place.write("by-hand/images/a.jpg", b"picture")
    before = place.settled("by-hand")
    place.write("by-hand/images/b.jpg", b"picture")
    assert place.settled("by-hand").version != before.version
    with pytest.raises(DropChangedError, match="run of its own"):
        place.store.fetch(before, tmp_path / "staging")
    assert not (tmp_path / "staging").exists()


@pytest.mark.parametrize("resized", [True, False])
@pytest.mark.parametrize("pause", [0.0, 1.1])  # a bucket tells times in whole seconds
def test_what_is_changed_by_hand_after_the_manifest_is_a_new_version(
    place: Place, files: dict[str, Path], tmp_path: Path, pause: float, resized: bool
) -> None:
    sent = place.store.put(files, "first")
    victim, *_ = files
    correct = b"corrected".ljust(30 if resized else files[victim].stat().st_size)
    time.sleep(pause)
    place.write(f"first/{victim}", correct)
    assert isinstance(place.store.look("first"), NotReady)
    changed = place.settled("first")
    assert changed.version != sent.version
    with pytest.raises(DropChangedError, match=sent.version):
        place.store.fetch(sent, tmp_path / "staging")
    settled = place.store.model_copy(update={"settle_seconds": 0})
    assert (settled.fetch(changed, tmp_path / "staging") / victim).read_bytes() == correct
    place.write(f"first/{victim}", files[victim].read_bytes())
    assert place.settled("first").version == sent.version


def test_a_file_added_after_the_manifest_is_a_new_version(place: Place, files: dict[str, Path], tmp_path: Path) -> None:
    sent = place.store.put(files, "first")
    place.write("first/images/late.jpg", b"late")
    changed = place.settled("first")
    assert changed.version != sent.version
    settled = place.store.model_copy(update={"settle_seconds": 0})
    assert (settled.fetch(changed, tmp_path / "staging") / "images/late.jpg").read_bytes() == b"late"


def test_a_file_taken_out_after_the_manifest_is_asked_about(
    place: Place, files: dict[str, Path], tmp_path: Path
) -> None:
    place.store.put(files, "first")
    victim, *_ = files
    place.remove(f"first/{victim}")
    settled = place.store.model_copy(update={"settle_seconds": 0})
    with pytest.raises(DropError, match=f"{victim} is in its manifest but missing"):
        settled.fetch(settled.drop("first"), tmp_path / "staging")
    place.remove("first/manifest.json")
    assert not (settled.fetch(settled.drop("first"), tmp_path / "staging") / victim).exists()


def test_the_marker_of_an_upload_that_was_killed_at_its_very_end_hides_no_later_change(
    place: Place, files: dict[str, Path], tmp_path: Path
) -> None:
    sent = place.store.put(files, "first")
    place.write("first/_UPLOADING", sent.version.encode())
    assert place.store.drop("first").version == sent.version
    place.write("first/images/late.jpg", b"late")
    changed = place.settled("first")
    assert changed.version != sent.version
    settled = place.store.model_copy(update={"settle_seconds": 0})
    assert (settled.fetch(changed, tmp_path / "staging") / "images/late.jpg").read_bytes() == b"late"


@pytest.mark.parametrize("text", ["[]", "{", '{"files": []}', '{"files": {"images/a.jpg": 1}}', "[" * 100_000])
def test_a_manifest_that_is_no_manifest_is_named_and_blocks_its_own_drop_alone(
    place: Place, files: dict[str, Path], tmp_path: Path, text: str
) -> None:
    place.store.put(files, "first")
    place.store.put(files, "second")
    place.write("first/manifest.json", text.encode())
    assert place.store.look("second") == place.store.drop("second")
    with pytest.raises(DropError, match=r"drops/first/manifest\.json"):
        place.store.fetch(place.settled("first"), tmp_path / "staging")
