"""The store: a drop is ready when its manifest came last, or when nothing changed for a while."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.builders import drop_folder
from wms_ml.errors import DropError, EmptyDropError
from wms_resources.drop_folder import drop_files, first_pairs
from wms_resources.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(url=str(tmp_path / "store"), settle_seconds=60)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return drop_files(drop_folder(tmp_path / "mine", 3))


def test_an_empty_store_has_no_drops(store: Store) -> None:
    assert store.drops() == []


def test_a_drop_arrives_whole_and_is_fetched_byte_for_byte(
    store: Store, files: dict[str, Path], tmp_path: Path
) -> None:
    drop = store.put(files, "first")
    assert store.drops() == [drop]
    folder = store.fetch(drop, tmp_path / "staging")
    assert {path: (folder / path).read_bytes() for path in files} == {p: f.read_bytes() for p, f in files.items()}


def test_the_same_content_dropped_again_is_the_same_drop(store: Store, files: dict[str, Path]) -> None:
    assert store.put(files) == store.put(files)
    assert len(store.drops()) == 1


def test_a_drop_cut_off_while_copying_is_not_ready_and_can_be_sent_again(store: Store, files: dict[str, Path]) -> None:
    seen = 0

    def die_at_the_third() -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put(files, "first", on_file=die_at_the_third)
    assert store.drops() == []
    with pytest.raises(DropError, match="still being copied"):
        store.drop("first")
    drop = store.put(files, "first")
    assert store.drops() == [drop]


def test_an_upload_that_broke_off_goes_on_under_its_id(store: Store, files: dict[str, Path]) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put(files, on_file=die)
    store.put(files)
    assert len(list((Path(store.url) / "drops").iterdir())) == 1


def test_two_drops_in_one_second_are_two_drops(store: Store, files: dict[str, Path], tmp_path: Path) -> None:
    others = [drop_files(drop_folder(tmp_path / str(seed), 1, seed=seed)) for seed in range(5, 9)]
    assert len({store.put(each).drop_id for each in others}) == 4


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "a..b"])
def test_an_id_that_is_no_folder_name_is_refused(store: Store, files: dict[str, Path], name: str) -> None:
    with pytest.raises(DropError, match="cannot name a drop"):
        store.put(files, name)


def test_a_drop_copied_by_hand_is_ready_once_it_settled(store: Store, files: dict[str, Path]) -> None:
    by_hand = Path(store.url) / "drops" / "by-hand"
    for relative, source in files.items():
        (by_hand / relative).parent.mkdir(parents=True, exist_ok=True)
        (by_hand / relative).write_bytes(source.read_bytes())
    assert store.drops() == []
    long_ago = time.time() - 120
    for path in by_hand.rglob("*.*"):
        os.utime(path, (long_ago, long_ago))
    (ready,) = store.drops()
    assert ready.drop_id == "by-hand"


def test_a_late_file_makes_another_version(store: Store, files: dict[str, Path]) -> None:
    long_ago = time.time() - 120
    by_hand = Path(store.url) / "drops" / "by-hand" / "images"
    by_hand.mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (by_hand / name).write_bytes(b"x")
        os.utime(by_hand / name, (long_ago, long_ago))
        if name == "a.jpg":
            before = store.drop("by-hand")
    assert store.drop("by-hand").key != before.key


def test_a_file_damaged_after_its_manifest_is_refused(store: Store, files: dict[str, Path], tmp_path: Path) -> None:
    drop = store.put(files, "first")
    victim = next(path for path in files if path.startswith("images/"))
    (Path(store.url) / "drops/first" / victim).write_bytes(b"other")
    with pytest.raises(DropError, match=victim):
        store.fetch(drop, tmp_path / "staging")
    assert not (tmp_path / "staging" / f"first-{drop.version}").exists()


def test_a_manifest_that_is_no_manifest_is_named(store: Store, files: dict[str, Path]) -> None:
    store.put(files, "first")
    (Path(store.url) / "drops/first/manifest.json").write_text(json.dumps([]))
    with pytest.raises(DropError, match=r"drops/first/manifest\.json"):
        store.drops()


def test_an_id_is_not_reused_for_other_content(store: Store, files: dict[str, Path], tmp_path: Path) -> None:
    store.put(files, "first")
    with pytest.raises(DropError, match="choose another id"):
        store.put(drop_files(drop_folder(tmp_path / "other", 2, seed=9)), "first")


def test_what_is_not_a_drop_is_refused_before_anything_is_copied(tmp_path: Path) -> None:
    with pytest.raises(DropError, match="no folder"):
        drop_files(tmp_path / "nowhere")
    with pytest.raises(DropError, match=r"images/ and a folder masks/"):
        drop_files(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(EmptyDropError, match="is empty"):
        drop_files(tmp_path)


def test_a_limit_takes_whole_pairs_in_order_of_name(files: dict[str, Path]) -> None:
    limited = first_pairs(files, 2)
    assert {Path(path).stem for path in limited} == set(sorted({Path(path).stem for path in files})[:2])
