"""The commands that the hook prints do what it says they do, run exactly as they are printed."""

from pathlib import Path

import pytest

from tests.git_people import Person, Remote, pairs, picture


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "origin.git")


@pytest.fixture
def ann(remote: Remote) -> Person:
    return Person(remote)


def data_ever_on_main(remote: Remote) -> list[str]:
    """Paths of pictures in any commit of the shared main."""
    paths = remote.git("log", "--format=", "--name-only", "-m", "main").splitlines()
    return [path for path in paths if not path.endswith((".py", ".txt")) and not path.startswith("docs/")]


def on_disk(person: Person, files: dict[str, bytes]) -> bool:
    return all((person.folder / name).read_bytes() == content for name, content in files.items())


def settled(person: Person, files: dict[str, bytes], code: bytes = b"2\n") -> None:
    """The shared main has the code and no data, the person's commits are the same, and the data is still on disk."""
    assert person.remote.files("main")["code.py"] == code
    assert data_ever_on_main(person.remote) == []
    assert person.git("rev-parse", "HEAD") == person.remote.branches()["main"]
    assert person.git("diff", "HEAD", "--name-only") == ""
    assert on_disk(person, files)


def test_pure_data_is_taken_out_of_the_commits_and_stays_on_disk(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a"))
    ann.commit("Add more", pairs("b"))
    ann.follow(ann.blocked())
    settled(ann, pairs("a", "b"), b"1\n")
    ann.passes()


@pytest.mark.parametrize("together", [True, False])
def test_the_code_of_a_mixed_push_goes_through_without_the_data(ann: Person, remote: Remote, together: bool) -> None:
    code = {"code.py": b"2\n", "images/notes.txt": b"n"}
    files = pairs("a", "ü b") | {"images/sub/c.JPG": picture("c")}
    if together:
        ann.commit("Both", code | files)
    else:
        ann.commit("Add data", files)
        ann.commit("Change code", code)
    ann.follow(ann.blocked())
    settled(ann, files)
    assert remote.files("main")["images/notes.txt"] == b"n"
    assert remote.only_drop() == files


def test_uncommitted_work_is_still_there_afterwards(ann: Person) -> None:
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.write({"docs/draft.txt": b"d", "code.py": b"3\n"})
    ann.follow(ann.blocked())
    assert ann.remote.files("main")["code.py"] == b"2\n"
    assert on_disk(ann, pairs("a") | {"docs/draft.txt": b"d", "code.py": b"3\n"})


@pytest.mark.parametrize("root", ["data/", "a b/", "d'[ä]\\*/"])
def test_the_data_folder_may_be_anywhere(ann: Person, root: str) -> None:
    ann.git("config", "wms.dataRoot", root)
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a", root=root))
    ann.follow(ann.blocked())
    settled(ann, pairs("a", root=root))


def test_they_work_in_a_subdirectory(ann: Person) -> None:
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.follow(ann.blocked(at=ann.folder / "images"), at=ann.folder / "images")
    settled(ann, pairs("a"))


@pytest.mark.parametrize("pushed", ["main", "main:main", "HEAD:main", "HEAD~0:main"])
def test_they_work_however_main_was_named(ann: Person, pushed: str) -> None:
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.follow(ann.blocked("origin", pushed))
    settled(ann, pairs("a"))


def test_they_work_on_a_detached_head(ann: Person) -> None:
    ann.git("checkout", "--quiet", "--detach")
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.follow(ann.blocked("origin", "HEAD:main"))
    settled(ann, pairs("a"))


@pytest.mark.parametrize("pushed", ["feature:main", "feature~0:main"])
def test_they_work_for_a_branch_that_is_not_checked_out(ann: Person, pushed: str) -> None:
    ann.git("checkout", "--quiet", "-b", "feature")
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.git("checkout", "--quiet", "main")
    ann.follow(ann.blocked("origin", pushed))
    settled(ann, pairs("a"))


def test_they_work_for_main_from_a_branch_at_the_same_commit(ann: Person) -> None:
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.git("checkout", "--quiet", "-b", "feature")
    ann.follow(ann.blocked())
    settled(ann, pairs("a"))
    assert ann.git("symbolic-ref", "HEAD") == "refs/heads/main"


def test_they_work_for_a_branch_that_is_checked_out_in_another_worktree(ann: Person, tmp_path: Path) -> None:
    ann.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "a tree"))
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.follow(ann.blocked(at=tmp_path / "a tree"), at=tmp_path / "a tree")
    settled(ann, pairs("a"))


def test_they_work_with_the_address_in_place_of_a_name(ann: Person, remote: Remote) -> None:
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.follow(ann.blocked(str(remote.folder), "main"))
    settled(ann, pairs("a"))


def test_a_merge_becomes_part_of_the_one_commit(ann: Person) -> None:
    ann.git("checkout", "--quiet", "-b", "feature")
    ann.commit("Add data", pairs("a"))
    ann.git("checkout", "--quiet", "main")
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.git("merge", "--quiet", "--no-edit", "feature")
    ann.follow(ann.blocked())
    settled(ann, pairs("a"))


def test_after_a_forced_push_they_force_against_what_was_there(ann: Person) -> None:
    ann.commit("A mistake", {"code.py": b"oops\n"})
    ann.passes()
    ann.git("reset", "--quiet", "--hard", "HEAD^")
    ann.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    ann.follow(ann.blocked("--force", "origin", "main"))
    settled(ann, pairs("a"))
    assert "A mistake" not in ann.remote.git("log", "main")


def test_data_added_and_taken_away_leaves_the_history(ann: Person) -> None:
    ann.commit("Add data", pairs("a"))
    ann.git("revert", "--no-edit", "HEAD")
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.follow(ann.blocked())
    settled(ann, {})


def test_a_changed_and_renamed_picture_on_main_stays_what_it_was_there(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a", "b"))
    ann.passes("--no-verify", "origin", "main")
    ann.git("mv", "images/a.jpg", "images/c.jpg")
    ann.commit("Change", {"images/b.jpg": picture("better"), "code.py": b"2\n"})
    ann.follow(ann.blocked())
    found = remote.files("main")
    assert {path: found[path] for path in pairs("a", "b")} == pairs("a", "b")
    assert found["code.py"] == b"2\n"
    assert on_disk(ann, {"images/c.jpg": pairs("a")["images/a.jpg"], "images/b.jpg": picture("better")})


@pytest.mark.parametrize("code", [{"code.py": b"2\n"}, {}], ids=["mixed", "pure"])
@pytest.mark.parametrize("detached", [False, True])
def test_a_first_push_brings_main_first_and_the_data_after_it(
    remote: Remote, code: dict[str, bytes], detached: bool
) -> None:
    ann = Person(remote, start=False)
    ann.commit("Start", code | pairs("a"))
    if detached:
        ann.git("checkout", "--quiet", "--detach")
    lines = ann.blocked("origin", "HEAD:refs/heads/main" if detached else "main")
    first, then = lines.split("Then the data")
    ann.follow(first)
    assert remote.files("main") == code
    assert on_disk(ann, pairs("a"))
    with pytest.raises(AssertionError, match="sent to"):  # its last command is the push that the hook stops
        ann.follow(then)
    assert remote.only_drop() == pairs("a")
    assert remote.files("main") == code


def test_the_rest_of_a_push_goes_by_itself(ann: Person, remote: Remote) -> None:
    ann.git("branch", "feature")
    ann.git("tag", "--annotate", "--message=one", "v1")
    ann.git("push", "--quiet", "origin", "main:old")
    ann.commit("Add data", pairs("a"))
    said = ann.blocked("origin", "main", "feature", "v1", ":old")
    ann.follow(said.split("held back with it:")[1])
    refs = remote.branches("refs")
    assert refs["feature"] == ann.git("rev-parse", "feature")
    assert refs["refs/tags/v1"] == ann.git("rev-parse", "v1")
    assert "old" not in refs
