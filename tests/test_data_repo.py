"""The data repository against real git and real DVC: what a proposed drop is, and what people get from it."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.data_world import World, contents, expected, manifests
from wms_ml.errors import DataRepoError
from wms_resources.git import create


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_accepted_in_a_new_repository(world: World) -> None:
    assert world.clone().accepted() is None
    assert manifests(world.clone()) == {}
    assert world.clone().branch("production").read() == (None, {})
    assert not world.origin.exists()  # reading makes nothing that others see


def test_a_repository_that_was_removed_holds_nothing_any_more(world: World) -> None:
    repo = world.clone()
    repo.accept(repo.propose(*world.drop("one", "a")))
    assert repo.accepted() is not None
    shutil.rmtree(world.origin)
    assert repo.accepted() is None


def test_a_proposed_drop_is_a_branch_of_its_own_and_main_waits(world: World) -> None:
    version = world.clone().propose(*world.drop("one", "a"))
    assert version.branch == "data/one"
    assert world.branches() == {"data/one": version.commit}
    assert world.clone().accepted() is None


def test_the_dvc_files_are_what_dvc_add_writes_itself(world: World, tmp_path: Path) -> None:
    from dvc.repo import Repo

    repo = world.clone()
    repo.accept(repo.propose(*world.drop("one", "a", "b", "ü")))
    version = repo.propose(*world.drop("two", "A", "c"))
    oracle = repo.materialize(version, tmp_path / "oracle")
    with Repo.init(str(oracle), no_scm=True) as dvc:
        dvc.add([str(oracle / "images"), str(oracle / "masks")])
    for name in ("images.dvc", "masks.dvc"):
        assert world.git("show", f"{version.commit}:{name}") == (oracle / name).read_text().strip()


def test_a_plain_git_clone_gets_the_pictures_with_dvc_pull(world: World, tmp_path: Path) -> None:
    from dvc.repo import Repo

    drop = world.drop("one", "a", "b")
    repo = world.clone()
    repo.accept(repo.propose(*drop))
    people = tmp_path / "people"
    subprocess.run(["git", "clone", "--quiet", str(world.origin), str(people)], check=True)
    with Repo(str(people)) as dvc:
        dvc.pull()
    assert {n: (people / n).read_bytes() for n in drop[1]} == expected(drop)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=people, check=True, capture_output=True)
    assert status.stdout == b""


def test_a_drop_is_added_to_everything_that_was_accepted(world: World, tmp_path: Path) -> None:
    one, two = world.drop("one", "a"), world.drop("two", "b", "c")
    repo = world.clone()
    repo.accept(repo.propose(*one))
    version = repo.propose(*two)
    assert contents(repo.materialize(version, tmp_path / "data")) == expected(one, two)
    assert manifests(repo, "data/two") == {"one": one[2].read_bytes(), "two": two[2].read_bytes()}


def test_proposing_the_same_again_returns_the_same_version(world: World) -> None:
    drop = world.drop("one", "a")
    version = world.clone().propose(*drop)
    assert world.clone().propose(*drop) == version
    assert world.clone("other").propose(*drop) == version


def test_proposing_an_accepted_drop_again_returns_the_same_version(world: World) -> None:
    drop = world.drop("one", "a")
    repo = world.clone()
    version = repo.propose(*drop)
    repo.accept(version)
    assert repo.propose(*drop) == version
    assert repo.accept(version).commit == version.commit


def test_a_changed_drop_replaces_its_own_branch_and_no_other(world: World, tmp_path: Path) -> None:
    repo = world.clone()
    other = repo.propose(*world.drop("other", "x"))
    repo.propose(*world.drop("one", "a"))
    late = world.drop("one", "a", "b")
    version = repo.propose(*late)
    assert world.branches() == {"data/one": version.commit, "data/other": other.commit}
    assert contents(repo.materialize(version, tmp_path / "data")) == expected(late)


def test_an_accepted_name_with_other_content_is_refused_and_nothing_is_published(world: World) -> None:
    repo = world.clone()
    repo.accept(repo.propose(*world.drop("one", "a", "b")))
    before = world.branches()
    with pytest.raises(DataRepoError, match=r"other content: a\.jpg\. Nothing accepted is overwritten"):
        repo.propose(*world.drop("two", "a", "c", salt="other"))
    assert world.branches() == before


def test_accepted_content_under_its_own_name_is_nothing_new(world: World) -> None:
    repo = world.clone()
    accepted = repo.accept(repo.propose(*world.drop("one", "a")))
    version = repo.propose(*world.drop("two", "a"))
    assert (version.images_md5, version.masks_md5) == (accepted.images_md5, accepted.masks_md5)
    assert set(manifests(repo, "data/two")) == {"one", "two"}


def test_a_drop_whose_content_cannot_be_pushed_is_not_announced(world: World) -> None:
    world.remote.write_text("a file where the folder should be")
    with pytest.raises(DataRepoError, match=r"remote.*written to"):
        world.clone().propose(*world.drop("one", "a"))
    assert world.branches() == {}


def test_accepted_content_that_the_remote_lost_is_pushed_again(world: World, tmp_path: Path) -> None:
    one, two = world.drop("one", "a"), world.drop("two", "b")
    repo = world.clone()
    repo.accept(repo.propose(*one))
    shutil.rmtree(world.remote)
    version = repo.propose(*two)
    assert contents(world.clone("other").materialize(version, tmp_path / "data")) == expected(one, two)


def test_accepted_content_that_nobody_has_any_more_stops_a_proposal_with_dvcs_words(world: World) -> None:
    one = world.drop("one", "a")
    repo = world.clone()
    repo.accept(repo.propose(*one))
    before = world.branches()
    shutil.rmtree(world.remote)
    md5 = hashlib.md5(one[1]["masks/a.png"].read_bytes()).hexdigest()
    (world.folder / "clone/.dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    with pytest.raises(DataRepoError, match=rf"(?s)could not push everything.*Missing cache files.*{md5}"):
        repo.propose(*world.drop("two", "b"))
    assert world.branches() == before


def test_the_content_is_on_the_remote_when_the_branch_appears(world: World, tmp_path: Path) -> None:
    repo = world.clone()
    create(world.origin)
    hook = world.origin / "hooks/pre-receive"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\nfind {world.remote} -type f | sort > {tmp_path}/seen\n")
    hook.chmod(0o755)
    repo.propose(*world.drop("one", "a", "b"))
    there = sorted(str(p) for p in world.remote.rglob("*") if p.is_file())
    assert (tmp_path / "seen").read_text().split() == there
    assert len(there) == 6


def test_a_file_of_the_drop_that_is_gone_is_named(world: World) -> None:
    drop = world.drop("one", "a")
    drop[1]["masks/a.png"].unlink()
    with pytest.raises(DataRepoError, match=r"masks/a\.png cannot be read"):
        world.clone().propose(*drop)


@pytest.mark.parametrize("drop_id", ["", "../up", "a/b", "-x", "a..b", ".a", "a.lock", "a b", "a\n"])
def test_a_drop_id_that_git_could_not_name_a_branch_is_refused(world: World, drop_id: str) -> None:
    _, files, manifest = world.drop("one", "a")
    with pytest.raises(DataRepoError, match="cannot name a drop"):
        world.clone().propose(drop_id, files, manifest)


@pytest.mark.parametrize("name", ["a.jpg", "images/", "images/../a", "images/..", "images/b/a", "/images/a"])
def test_a_file_outside_images_and_masks_is_refused(world: World, name: str) -> None:
    drop_id, files, manifest = world.drop("one", "a")
    with pytest.raises(DataRepoError, match="cannot be in a drop"):
        world.clone().propose(drop_id, {name: files["images/a.jpg"]}, manifest)


def test_what_people_committed_to_main_is_kept(world: World) -> None:
    repo = world.clone()
    create(world.origin)
    blob = world.git("hash-object", "-w", "--stdin", stdin="by hand")
    tree = world.git("mktree", stdin=f"100644 blob {blob}\tREADME.md\n100755 blob {blob}\ttool.sh\n")
    who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    first = world.git(*who, "commit-tree", tree, "-m", "by hand")
    world.git("update-ref", "refs/heads/main", first)
    assert repo.accepted() is None
    version = repo.accept(repo.propose(*world.drop("one", "a")))
    assert world.git("show", "main:README.md") == "by hand"
    assert "100755" in world.git("ls-tree", "main", "tool.sh")
    assert world.git("rev-parse", f"{version.commit}^") == first
