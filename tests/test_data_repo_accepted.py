"""The data repository: accepting a proposed version, reading manifests, and getting the pictures."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data_world import World, contents, expected, manifests
from wms_ml.errors import DataRepoError
from wms_resources.data_repo import DataVersion


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_accepting_moves_main_to_the_version(world: World) -> None:
    repo = world.clone()
    version = repo.propose(*world.drop("one", "a"))
    accepted = repo.accept(version)
    assert accepted == replace(version, branch="main") == world.clone("other").accepted()
    assert world.branches()["main"] == version.commit


def test_accepting_again_changes_nothing_even_after_later_drops(world: World) -> None:
    repo = world.clone()
    one = repo.propose(*world.drop("one", "a"))
    accepted = repo.accept(one)
    later = repo.accept(repo.propose(*world.drop("two", "b")))
    assert repo.accept(one) == accepted
    assert world.branches()["main"] == later.commit


def test_a_version_that_main_outran_must_be_proposed_again(world: World, tmp_path: Path) -> None:
    repo = world.clone()
    one, two = world.drop("one", "a"), world.drop("two", "b")
    stale = repo.propose(*two)
    repo.accept(repo.propose(*one))
    with pytest.raises(DataRepoError, match="propose again"):
        repo.accept(stale)
    assert set(manifests(repo)) == {"one"}
    accepted = repo.accept(repo.propose(*two))
    assert contents(repo.materialize(accepted, tmp_path / "data")) == expected(one, two)


@pytest.mark.parametrize("change", [{"commit": "0" * 40}, {"images_md5": f"{'0' * 32}.dir"}])
def test_a_version_that_git_does_not_know_is_not_accepted(world: World, change: dict[str, str]) -> None:
    repo = world.clone()
    version = repo.propose(*world.drop("one", "a"))
    with pytest.raises(DataRepoError, match="no such version"):
        repo.accept(replace(version, **change))
    assert "main" not in world.branches()


def test_manifests_of_a_branch_that_does_not_exist_are_an_error(world: World) -> None:
    with pytest.raises(DataRepoError, match="no branch or commit data/none"):
        world.clone().manifest_ids("data/none")


def test_manifests_are_read_byte_for_byte(world: World) -> None:
    repo = world.clone()
    drop = world.drop("one", "a")
    drop[2].write_bytes(bytes(range(256)) + b"\n\n")
    repo.accept(repo.propose(*drop))
    empty = world.drop("2026.two", "b")
    empty[2].write_bytes(b"")
    accepted = repo.accept(repo.propose(*empty))
    assert manifests(repo, accepted.commit) == {"one": bytes(range(256)) + b"\n\n", "2026.two": b""}


def test_a_materialized_version_is_linked_to_the_cache_and_read_only(world: World, tmp_path: Path) -> None:
    repo = world.clone()
    drop = world.drop("one", "a", "b")
    folder = repo.materialize(repo.propose(*drop), tmp_path / "deep/data")
    assert contents(folder) == expected(drop)
    for path in (folder / "images").iterdir():
        assert path.stat().st_mode & 0o777 == 0o444
        assert path.stat().st_nlink == 2


def test_a_machine_with_an_empty_cache_fetches_the_content(world: World, tmp_path: Path) -> None:
    drop = world.drop("one", "a", "b")
    version = world.clone().propose(*drop)
    assert contents(world.clone("other").materialize(version, tmp_path / "data")) == expected(drop)


def test_a_folder_that_exists_is_returned_as_it_is(world: World, tmp_path: Path) -> None:
    version = DataVersion("main", "0" * 40, f"{'0' * 32}.dir", f"{'0' * 32}.dir")
    (tmp_path / "data").mkdir()
    assert contents(world.clone().materialize(version, tmp_path / "data")) == {}


def test_a_half_made_folder_of_a_killed_process_is_made_anew(world: World, tmp_path: Path) -> None:
    repo = world.clone()
    drop = world.drop("one", "a")
    version = repo.propose(*drop)
    leftover = tmp_path / ".data.partial/images/leftover.jpg"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half")
    assert contents(repo.materialize(version, tmp_path / "data")) == expected(drop)


@pytest.mark.parametrize("damage", ["lost", "damaged"])
def test_content_that_is_not_whole_on_the_remote_makes_no_folder(world: World, tmp_path: Path, damage: str) -> None:
    drop = world.drop("one", "a", "b")
    version = world.clone().propose(*drop)
    md5 = hashlib.md5(drop[1]["masks/b.png"].read_bytes()).hexdigest()
    stored = world.remote / "files/md5" / md5[:2] / md5[2:]
    stored.unlink()
    if damage == "damaged":
        stored.write_text("damaged")
    with pytest.raises(DataRepoError, match=md5):
        world.clone("other").materialize(version, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_content_survives_the_loss_of_the_clone(world: World, tmp_path: Path) -> None:
    one, two = world.drop("one", "a"), world.drop("two", "b")
    world.clone().accept(world.clone().propose(*one))
    shutil.rmtree(tmp_path / "clone")
    version = world.clone().propose(*two)
    shutil.rmtree(tmp_path / "clone")
    assert contents(world.clone().materialize(version, tmp_path / "data")) == expected(one, two)
