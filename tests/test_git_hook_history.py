"""The pre-push hook and the history behind a push: older commits, changes of data on main, merges."""

import shutil
from pathlib import Path

import pytest

from tests.git_people import Person, Remote, pairs, picture


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "origin.git")


@pytest.fixture
def ann(remote: Remote) -> Person:
    return Person(remote)


def test_data_in_an_older_commit_of_the_push_is_found(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a"))
    for number in range(3):
        ann.commit("Change code", {"code.py": b"%d\n" % number})
    ann.blocked()
    assert remote.only_drop() == pairs("a")


def test_data_added_and_taken_away_again_is_blocked_for_it_would_stay_in_the_history(
    ann: Person, remote: Remote
) -> None:
    ann.commit("Add data", pairs("a"))
    ann.git("revert", "--no-edit", "HEAD")
    assert "takes them away again" in ann.blocked()
    assert remote.data_branches() == []


def test_only_the_last_state_of_data_that_changed_within_the_push_is_sent(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a", "b"))
    shutil.rmtree(ann.folder / "masks")
    ann.commit("Change data", {"images/a.jpg": picture("better")})
    ann.blocked()
    assert remote.only_drop() == {"images/a.jpg": picture("better"), "images/b.jpg": pairs("b")["images/b.jpg"]}


class TestWithDataOnMain:
    @pytest.fixture(autouse=True)
    def old(self, ann: Person) -> None:
        ann.commit("Add data", pairs("old"))
        ann.passes("--no-verify", "origin", "main")

    def test_it_is_not_sent_again(self, ann: Person, remote: Remote) -> None:
        ann.commit("Add data", pairs("new"))
        ann.blocked()
        assert remote.only_drop() == pairs("new")

    def test_code_beside_it_passes(self, ann: Person) -> None:
        ann.commit("Change code", {"code.py": b"2\n"})
        ann.passes()

    def test_taking_it_away_passes(self, ann: Person) -> None:
        shutil.rmtree(ann.folder / "images")
        ann.commit("Take data away", {})
        ann.passes()

    def test_a_changed_picture_is_sent_as_it_is_now(self, ann: Person, remote: Remote) -> None:
        ann.commit("Change a picture", {"images/old.jpg": picture("better")})
        ann.blocked()
        assert remote.only_drop() == {"images/old.jpg": picture("better")}

    def test_a_picture_under_a_new_name_is_new(self, ann: Person, remote: Remote) -> None:
        ann.git("mv", "images/old.jpg", "images/new.jpg")
        ann.commit("Rename", {})
        ann.blocked()
        assert remote.only_drop() == {"images/new.jpg": pairs("old")["images/old.jpg"]}

    def test_merging_it_into_other_work_passes(self, ann: Person, remote: Remote) -> None:
        ann.git("checkout", "--quiet", "-b", "work", "HEAD^")
        ann.commit("Change code", {"code.py": b"2\n"})
        ann.git("merge", "--quiet", "--no-edit", "main")
        ann.passes("origin", "work:main")


def test_data_of_a_merged_branch_is_found(ann: Person, remote: Remote) -> None:
    ann.git("checkout", "--quiet", "-b", "feature")
    ann.commit("Add data", pairs("a"))
    ann.git("checkout", "--quiet", "main")
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.git("merge", "--quiet", "--no-edit", "feature")
    ann.blocked()
    assert remote.only_drop() == pairs("a")


def test_data_that_only_a_merge_commit_brings_is_found(ann: Person, remote: Remote) -> None:
    ann.git("branch", "feature")
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.git("checkout", "--quiet", "feature")
    ann.commit("Add notes", {"notes.txt": b"n"})
    ann.git("merge", "--quiet", "--no-commit", "--no-ff", "main")
    ann.commit("Merge", pairs("a"))
    ann.blocked("origin", "feature:main")
    assert remote.only_drop() == pairs("a")
