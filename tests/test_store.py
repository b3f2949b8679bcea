"""The store, in a folder and in a bucket: what is sent arrives whole, under its own id, and is landed as it was."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import drop_folder
from tests.store_places import Place
from wms_ml.errors import DropError
from wms_resources.drop_folder import drop_files
from wms_resources.objects_folder import Folder
from wms_resources.readiness import Drop, NotReady
from wms_resources.store import Store
from wms_resources.uploading import Upload

pytest_plugins = ["tests.store_places"]


def contents(folder: Path, files: dict[str, Path]) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in files}


def dying(after: int) -> Callable[[], None]:
    left = [after]

    def die() -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return die


def test_an_empty_store_has_no_drops(store: Store) -> None:
    assert list(store.names()) == []
    assert list(store.listings()) == []
    with pytest.raises(DropError, match="wms drop"):
        store.newest()


def test_a_drop_arrives_whole_and_is_fetched_byte_for_byte(
    store: Store, files: dict[str, Path], tmp_path: Path
) -> None:
    drop = store.put(files, "first")
    assert list(store.names()) == ["first"]
    assert store.look("first") == store.newest() == drop
    assert drop.by and drop.created.startswith("20")
    folder = store.fetch(drop, tmp_path / "staging")
    assert contents(folder, files) == {path: source.read_bytes() for path, source in files.items()}


def test_the_same_content_dropped_again_is_the_same_drop(store: Store, files: dict[str, Path]) -> None:
    assert store.put(files) == store.put(files)
    assert len(list(store.names())) == 1


def test_the_same_content_under_an_id_of_its_own_is_another_drop(store: Store, files: dict[str, Path]) -> None:
    first, second = store.put(files), store.put(files, "second")
    assert second.drop_id == "second"
    assert second.version == first.version


def test_a_drop_cut_off_while_copying_is_not_ready_and_can_be_sent_again(store: Store, files: dict[str, Path]) -> None:
    with pytest.raises(KeyboardInterrupt):
        store.put(files, "first", on_file=dying(3))
    cut = store.look("first")
    assert isinstance(cut, NotReady)
    assert "wms drop" in cut.reason
    with pytest.raises(DropError, match="no ready drop"):
        store.drop("first")
    assert store.put(files, "first") == store.look("first")


def test_an_upload_that_broke_off_goes_on_under_its_id(store: Store, files: dict[str, Path]) -> None:
    with pytest.raises(KeyboardInterrupt):
        store.put(files, on_file=dying(1))
    (begun,) = store.names()
    assert store.put(files).drop_id == begun


def test_drops_in_one_second_are_drops_of_their_own(store: Store, tmp_path: Path) -> None:
    others = [drop_files(drop_folder(tmp_path / str(seed), 1, seed=seed, size=(64, 64))) for seed in range(5, 9)]
    made: list[str] = []
    threads = [threading.Thread(target=lambda each=each: made.append(store.put(each).drop_id)) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(store.names())
    assert len(set(made)) == 4


def test_a_sender_that_was_overtaken_while_it_claimed_an_id_leaves_it_alone(
    files: dict[str, Path], tmp_path: Path
) -> None:
    store = Store(url=str(tmp_path / "store"), own=True)
    others = drop_files(drop_folder(tmp_path / "others", 1, seed=5, size=(64, 64)))
    theirs: list[Drop] = []

    class Overtaken(Folder):
        def create(self, path: str, content: bytes) -> bool:
            theirs.append(store.put(others, "first"))
            return super().create(path, content)

    store.put(others, "second")
    with pytest.raises(DropError, match="there already with other content"):
        Upload(Overtaken(tmp_path / "store"), store.look).send(files, "first", None)
    assert [store.drop("first")] == theirs
    assert {path.name for path in (tmp_path / "store/drops/first").iterdir()} == {"images", "masks", "manifest.json"}


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "a..b"])
def test_an_id_that_is_no_folder_name_is_refused(store: Store, files: dict[str, Path], name: str) -> None:
    with pytest.raises(DropError, match="cannot name a drop"):
        store.put(files, name)


def test_an_id_is_not_reused_for_other_content(place: Place, files: dict[str, Path], tmp_path: Path) -> None:
    before = place.store.put(files, "first")
    with pytest.raises(DropError, match="choose another id"):
        place.store.put(drop_files(drop_folder(tmp_path / "other", 2, seed=9)), "first")
    assert place.store.look("first") == before
    place.write("by-hand/images/a.jpg", b"x")
    with pytest.raises(DropError, match="choose another id"):
        place.store.put(files, "by-hand")


def test_names_are_listed_between_two_ids_in_order(place: Place) -> None:
    for name in ("20260101-000000", "20260101-000001", "20260102-000000", "april", "20260101-000000-b"):
        place.write(f"{name}/images/a.jpg", b"x")
    store = place.store
    assert list(store.names("20260101-000000")) == ["20260101-000001", "20260102-000000", "april"]
    assert list(store.names("20260101-000001", before=":")) == ["20260102-000000"]
    assert list(store.names(":")) == ["april"]
    assert [name for name, _ in store.listings("20260101-000001")] == ["20260102-000000", "april"]


def test_files_beside_the_drops_are_listed_without_an_id(place: Place) -> None:
    place.write("pictures.zip", b"x")
    place.write("first/images/a.jpg", b"x")
    assert sorted((name, entries[0].path) for name, entries in place.store.listings()) == [
        ("", "pictures.zip"),
        ("first", "images/a.jpg"),
    ]


def test_a_manifest_lists_every_file_with_its_hash(files: dict[str, Path], tmp_path: Path) -> None:
    store = Store(url=str(tmp_path / "store"), own=True)
    store.put(files, "first")
    manifest = json.loads((tmp_path / "store/drops/first/manifest.json").read_text())
    assert set(manifest["files"]) == set(files)
    assert all(len(row["sha256"]) == 64 for row in manifest["files"].values())
