"""The pre-push hook wherever people push from: data in other folders, worktrees, partial clones, bare tools."""

import os
import shutil
from pathlib import Path

import pytest

from tests.git_people import ODD_NAMES, Person, Remote, pairs, picture

TOOLS = (
    *("git", "sh", "awk", "cat", "cut", "date", "dirname", "grep", "head"),
    *("mktemp", "rm", "sed", "sleep", "sort", "tr", "uniq", "wc"),
)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "origin.git")


@pytest.fixture
def ann(remote: Remote) -> Person:
    return Person(remote)


@pytest.mark.parametrize(
    ("setting", "root"),
    [
        ("data", "data/"),
        ("./data/", "data/"),
        ("a b/c", "a b/c/"),
        ("d'[ä]\\*", "d'[ä]\\*/"),
        (".", ""),
        ("images", "images/"),
    ],
)
def test_data_below_another_folder_is_sent_as_a_drop(ann: Person, remote: Remote, setting: str, root: str) -> None:
    ann.git("config", "wms.dataRoot", setting)
    ann.commit("Add data", pairs("a", *ODD_NAMES, root=root))
    ann.blocked()
    assert remote.only_drop() == pairs("a", *ODD_NAMES)


def test_with_another_folder_the_top_is_no_data(ann: Person) -> None:
    ann.git("config", "wms.dataRoot", "data")
    ann.commit("Add pictures for the README", {"images/a.png": picture("a")})
    ann.passes()


@pytest.mark.parametrize("setting", ["/data", "../data", "data/../..", "a//b"])
def test_a_data_folder_that_cannot_be_is_said_and_blocks(ann: Person, setting: str) -> None:
    ann.git("config", "wms.dataRoot", setting)
    ann.commit("Change code", {"code.py": b"2\n"})
    assert "git config wms.dataRoot data" in ann.blocked()


def test_it_works_in_a_worktree(ann: Person, remote: Remote, tmp_path: Path) -> None:
    ann.commit("Add data", pairs("a"))
    ann.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    ann.blocked("origin", "HEAD:main", at=tmp_path / "tree")
    assert remote.only_drop() == pairs("a")


def test_it_works_in_a_subdirectory(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a"))
    ann.blocked(at=ann.folder / "masks")
    assert remote.only_drop() == pairs("a")


def test_it_works_from_anywhere_with_git_dir(ann: Person, remote: Remote, tmp_path: Path) -> None:
    ann.commit("Add data", pairs("a"))
    where = {"GIT_DIR": str(ann.folder / ".git"), "GIT_INDEX_FILE": str(ann.folder / ".git/index")}
    ann.blocked(at=tmp_path, **where)
    ann.blocked("origin", "main:main", at=tmp_path, GIT_WORK_TREE=str(ann.folder), **where)
    assert remote.only_drop() == pairs("a")


def test_it_works_on_a_detached_head(ann: Person, remote: Remote) -> None:
    ann.git("checkout", "--quiet", "--detach")
    ann.commit("Add data", pairs("a"))
    ann.blocked("origin", "HEAD@{0}:main")
    assert remote.only_drop() == pairs("a")


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none"])
def test_it_works_in_a_clone_that_is_not_whole(ann: Person, remote: Remote, option: str) -> None:
    remote.git("config", "uploadpack.allowFilter", "true")
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.passes()
    bob = Person(remote, "bob", option)
    bob.commit("Add data", pairs("a"))
    bob.blocked()
    assert remote.only_drop() == pairs("a")


def test_it_works_with_the_address_in_place_of_a_name(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a"))
    ann.blocked(str(remote.folder), "main")
    assert remote.only_drop() == pairs("a")


def test_the_persons_own_git_settings_do_not_matter(ann: Person, remote: Remote) -> None:
    for setting in ("core.quotePath=false", "diff.renames=copies", "log.showSignature=true", "push.followTags=true"):
        ann.git("config", *setting.split("="))
    ann.git("config", "log.showRoot", "false")
    ann.git("config", "diff.noprefix", "true")
    ann.commit("Add data", pairs(*ODD_NAMES))
    ann.git("tag", "--annotate", "--message=one", "v1", "HEAD^")
    ann.blocked("--no-follow-tags", "origin", "main")
    assert remote.only_drop() == pairs(*ODD_NAMES)


def test_all_of_it_is_there_with_no_python_around(ann: Person, remote: Remote, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(str(shutil.which(tool)))
    ann.commit("Add data", pairs("a"))
    ann.blocked(PATH=os.fspath(tools))
    assert remote.only_drop() == pairs("a")
