"""Any version that was ever proposed can be had again on another machine, bit for bit, from a folder and from S3."""

import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.builders import pair
from tests.data_world import Drop, World, call_before, contents, dying_at, end, expected, start
from wms_assets.training_plan import data_named
from wms_ml.dataset import MANIFEST, load_dataset
from wms_ml.errors import DataError, DataRepoError
from wms_ml.pairs import data_version, read_manifest, write_manifest
from wms_resources.data_history import checkout, editions, find
from wms_resources.data_repo import DataRepo
from wms_resources.workspace import Workspace


@pytest.fixture
def cloud(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """With its remote in a bucket."""
    (tmp_path / "aws.ini").touch()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws.ini"))  # DVC insists on a file
    return World(tmp_path, remote=f"{bucket}/dvc")


@pytest.fixture(params=["local", "cloud"])
def world(request: pytest.FixtureRequest) -> World:
    return request.getfixturevalue(request.param)


@pytest.fixture
def local(tmp_path: Path) -> World:
    return World(tmp_path)


def drop_of(world: World, drop_id: str, *names: str, salt: str = "") -> Drop:
    """A drop with a manifest that can be read."""
    drop = world.drop(drop_id, *names, salt=salt)
    write_manifest([pair(name, drop=drop_id) for name in names], drop[2])
    return drop


def whole(world: World, *drops: Drop) -> dict[str, bytes]:
    """What a folder with these drops has to hold, byte for byte."""
    rows = [row for *_, manifest in drops for row in read_manifest(manifest)]
    write_manifest(rows, world.folder / "rows.parquet")
    return expected(*drops) | {MANIFEST: (world.folder / "rows.parquet").read_bytes()}


def had(repo: DataRepo, rev: str, folder: Path) -> dict[str, bytes]:
    checkout(repo, find(repo, rev), folder)
    return contents(folder)


def test_every_version_can_be_had_on_another_machine_bit_for_bit(local: World, tmp_path: Path) -> None:
    one, two, late = (drop_of(local, *names) for names in (("one", "a", "b"), ("two", "c"), ("two", "c", "d")))
    repo = local.clone()
    first = repo.accept(repo.propose(*one))
    replaced = repo.propose(*two)
    proposed = repo.propose(*late)
    other = local.clone("other")
    versions = {
        "main": (one,),
        "data/one": (one,),
        first.commit: (one,),
        replaced.commit: (one, two),
        "data/two": (one, late),
        proposed.commit[:12]: (one, late),
    }
    for number, (rev, drops) in enumerate(versions.items()):
        assert had(other, rev, tmp_path / f"had{number}") == whole(local, *drops), rev


def test_any_version_can_be_trained_on_by_its_name(local: World, tmp_path: Path) -> None:
    one, two = drop_of(local, "one", "a", "b"), drop_of(local, "two", "c")
    repo = local.clone()
    first = repo.accept(repo.propose(*one))
    second = repo.accept(repo.propose(*two))
    workspace = Workspace(home=str(tmp_path / "home"))
    for commit, drops in ((first.commit, (one,)), (second.commit, (one, two))):
        data = data_named(commit, repo, workspace)
        assert contents(Path(data.folder)) == whole(local, *drops)
        assert (data.commit, data.data_version) == (commit, data_version(load_dataset(Path(data.folder))))
        assert data_named(data.data_version, repo, workspace) == data
    with pytest.raises(DataRepoError, match="no data version april"):
        data_named("april", repo, workspace)


def test_a_bucket_gives_a_version_to_another_machine_bit_for_bit(cloud: World, tmp_path: Path) -> None:
    one, two = drop_of(cloud, "one", "a", "b"), drop_of(cloud, "two", "c")
    repo = cloud.clone()
    repo.accept(repo.propose(*one))
    repo.propose(*two)
    assert had(cloud.clone("other"), "main", tmp_path / "main") == whole(cloud, one)
    assert had(cloud.clone("other"), "data/two", tmp_path / "two") == whole(cloud, one, two)


@pytest.mark.parametrize("name", ["images", "masks", "without .dir", "data version"])
def test_a_version_is_found_by_its_hashes(local: World, tmp_path: Path, name: str) -> None:
    one = drop_of(local, "one", "a")
    repo = local.clone()
    version = repo.accept(repo.propose(*one))
    repo.accept(repo.propose(*drop_of(local, "two", "b")))
    rev = {
        "images": version.images_md5,
        "masks": version.masks_md5,
        "without .dir": version.images_md5.removesuffix(".dir"),
        "data version": data_version([pair("a")]),
    }[name]
    assert had(local.clone("other"), rev, tmp_path / "had") == whole(local, one)


def test_a_data_set_that_was_had_can_be_loaded(local: World, tmp_path: Path) -> None:
    local.clone().propose(*drop_of(local, "one", "b", "a"))
    had(local.clone(), "data/one", tmp_path / "had")
    assert load_dataset(tmp_path / "had") == [pair("a", drop="one"), pair("b", drop="one")]


def test_the_history_tells_what_became_of_each_version(local: World) -> None:
    repo = local.clone()
    first = repo.accept(repo.propose(*drop_of(local, "one", "a")))
    replaced = repo.propose(*drop_of(local, "two", "b"))
    second = repo.accept(repo.propose(*drop_of(local, "two", "b", "c")))
    proposed = repo.propose(*drop_of(local, "three", "d"))
    told = {each.recorded.version.commit: each for each in editions(local.clone("other"))}
    assert next(iter(told)) == proposed.commit
    assert list(told)[-1] == first.commit
    assert {commit: (each.recorded.accepted, len(each.pairs)) for commit, each in told.items()} == {
        first.commit: (True, 1),
        replaced.commit: (False, 2),
        second.commit: (True, 3),
        proposed.commit: (False, 4),
    }
    assert [told[version.commit].recorded.branches for version in (first, replaced, second, proposed)] == [
        ("data/one",),
        (f"replaced/two/{replaced.commit[:12]}",),
        ("data/two", "main"),
        ("data/three",),
    ]


def test_a_version_is_on_the_remote_before_anybody_can_see_it(world: World, tmp_path: Path) -> None:
    drop = drop_of(world, "one", "a", "b")

    def die_before_announcing() -> None:
        call_before("subprocess.Popen", "'push'", lambda: os.kill(os.getpid(), signal.SIGKILL))
        world.clone().propose(*drop)

    assert end(start(die_before_announcing)) == -signal.SIGKILL
    assert world.branches() == {}
    twin = World(tmp_path / "twin").clone().propose(*drop)  # the same content, so the same hashes
    assert contents(world.clone("other").materialize(twin, tmp_path / "data")) == expected(drop)


@pytest.mark.parametrize("events", [{"subprocess.Popen"}, {"shutil.copyfile", "os.rename"}])
def test_killed_at_any_step_no_branch_names_content_that_the_remote_lacks(
    local: World, tmp_path: Path, events: set[str]
) -> None:
    local.clone().accepted()  # makes the origin
    status, step = -signal.SIGKILL, 0
    while status == -signal.SIGKILL:
        drop = drop_of(local, f"drop{step}", f"x{step}")
        status = end(start(dying_at(step, events, partial(local.clone().propose, *drop))))
        for branch in local.branches():
            number = branch.removeprefix("data/drop")
            other = local.clone(f"other{step}-{number}")
            announced = drop_of(local, f"drop{number}", f"x{number}")
            assert had(other, branch, tmp_path / f"had{step}-{number}") == whole(local, announced)
        step += 3
    assert status == 0


def test_content_that_the_remote_lost_is_named_and_nothing_is_made(local: World, tmp_path: Path) -> None:
    version = local.clone().propose(*drop_of(local, "one", "a"))
    shutil.rmtree(local.remote)
    with pytest.raises(DataRepoError, match=rf"remote lacks .*{version.images_md5}"):
        had(local.clone("other"), "data/one", tmp_path / "out/had")
    assert contents(tmp_path / "out") == {}
    assert list((tmp_path / "out").iterdir()) == []


def test_a_picture_that_the_bucket_lost_is_named_and_nothing_is_made(cloud: World, tmp_path: Path) -> None:
    from s3fs import S3FileSystem

    cloud.clone().propose(*drop_of(cloud, "one", "a", "b"))
    stored = [path for path in S3FileSystem().find(cloud.remote) if not path.endswith(".dir")]
    S3FileSystem().rm(stored[0])
    with pytest.raises(DataRepoError, match="".join(stored[0].split("/")[-2:])):
        had(cloud.clone("other"), "data/one", tmp_path / "out/had")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(local: World, tmp_path: Path) -> None:
    local.clone().propose(*drop_of(local, "one", "a"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/note").write_text("mine")
    with pytest.raises(DataError, match="mine is taken"):
        had(local.clone(), "data/one", tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"note": b"mine"}


def test_an_empty_folder_is_filled(local: World, tmp_path: Path) -> None:
    drop = drop_of(local, "one", "a")
    local.clone().propose(*drop)
    (tmp_path / "mine").mkdir()
    assert had(local.clone(), "data/one", tmp_path / "mine") == whole(local, drop)


def test_killed_at_any_step_the_folder_is_there_whole_or_not_at_all(local: World, tmp_path: Path) -> None:
    drop = drop_of(local, "one", "a", "b")
    local.clone().propose(*drop)
    status, step = -signal.SIGKILL, 0
    while status == -signal.SIGKILL:
        folder = tmp_path / f"had{step}"
        repo = local.clone(f"machine{step}")
        work = partial(had, repo, "data/one", folder)
        status = end(start(dying_at(step, {"shutil.copyfile", "os.rename", "os.link"}, work)))
        assert not folder.exists() or contents(folder) == whole(local, drop)
        step += 2
    assert status == 0
    assert step > 4


def test_an_unknown_version_is_named_with_what_there_is(local: World) -> None:
    repo = local.clone()
    repo.accept(repo.propose(*drop_of(local, "one", "a")))
    with pytest.raises(DataRepoError, match=r"no data version 0123456789ab: there are data/one, main"):
        find(repo, "0123456789ab")


def test_before_the_first_drop_there_is_nothing_to_have(local: World) -> None:
    assert list(editions(local.clone())) == []
    with pytest.raises(DataRepoError, match="holds no data yet"):
        find(local.clone(), "main")
