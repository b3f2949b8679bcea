"""What the pre-push hook takes for data, what it sends, and what it leaves alone: real pushes to a real remote."""

from pathlib import Path

import pytest

from tests.git_people import ODD_NAMES, Person, Remote, pairs, picture


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "origin.git")


@pytest.fixture
def ann(remote: Remote) -> Person:
    return Person(remote)


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "JPG", "Png"])
def test_a_picture_below_images_or_masks_is_data(ann: Person, remote: Remote, ending: str) -> None:
    files = {f"images/a.{ending}": picture("a"), f"masks/north/b.{ending}": picture("b")}
    ann.commit("Add a pair", files)
    said = ann.blocked()
    assert "1 image and 1 mask." in said
    assert remote.only_drop() == files


@pytest.mark.parametrize(
    "name",
    [
        *("docs/images/b.png", "data/images/b.jpg", "Images/b.jpg", "myimages/b.jpg"),
        *("images", "images.png", "images.dvc", "images/notes.txt", "images/b.jpg.txt", "images/jpg"),
    ],
)
def test_anything_else_passes_untouched(ann: Person, remote: Remote, name: str) -> None:
    commit = ann.commit("Add a file", {name: picture("b")})
    ann.passes()
    assert remote.branches() == {"main": commit}


def test_odd_file_names_arrive_as_they_are(ann: Person, remote: Remote) -> None:
    files = pairs(*ODD_NAMES)
    ann.commit("Add odd names", files)
    assert f"{len(ODD_NAMES)} images and {len(ODD_NAMES)} masks." in ann.blocked()
    assert remote.only_drop() == files


def test_a_data_branch_is_one_commit_on_main_with_the_authors_name_date_and_words(ann: Person, remote: Remote) -> None:
    ann.write(pairs("a"))
    ann.git("add", "--all")
    when = "2001-02-03T04:05:06+07:00"
    ann.git("commit", "--quiet", "--author=Bob Ü <bob@localhost>", f"--date={when}", "--message=North\n\nby tram")
    said = ann.blocked()
    (branch,) = remote.data_branches()
    assert f"branch {branch} of origin" in said
    assert (
        remote.git("log", "--max-count=1", "--format=%an <%ae> %aI %cn", branch) == f"Bob Ü <bob@localhost> {when} Ann"
    )
    assert remote.git("log", "--max-count=1", "--format=%B", branch).strip() == "North\n\nby tram"
    assert remote.git("rev-parse", f"{branch}^") == remote.branches()["main"]


def test_the_messages_of_all_commits_with_data_are_kept(ann: Person, remote: Remote) -> None:
    ann.commit("Add north", pairs("a"))
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.commit("Add south", pairs("b"))
    ann.blocked()
    message = remote.git("log", "--max-count=1", "--format=%B", remote.data_branches()[0])
    assert "Add north" in message
    assert "Add south" in message
    assert "Change code" not in message


def test_only_the_data_of_a_mixed_commit_is_sent(ann: Person, remote: Remote) -> None:
    ann.commit("Everything at once", {"code.py": b"2\n", "images/notes.txt": b"n"} | pairs("a"))
    ann.blocked()
    assert remote.only_drop() == pairs("a")


def test_only_the_data_of_a_push_of_mixed_commits_is_sent(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a"))
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.blocked()
    assert remote.only_drop() == pairs("a")


def test_nothing_of_a_push_with_several_refs_goes_through(ann: Person, remote: Remote) -> None:
    ann.git("branch", "feature")
    ann.git("tag", "--annotate", "--message=one", "v1")
    ann.commit("Add data", pairs("a"))
    assert "held back" in ann.blocked("origin", "main", "feature", "v1")
    assert remote.only_drop() == pairs("a")


def test_data_on_another_branch_passes(ann: Person, remote: Remote) -> None:
    ann.git("checkout", "--quiet", "-b", "feature")
    ann.commit("Add data", pairs("a"))
    ann.passes("origin", "feature", "main")
    assert sorted(remote.branches()) == ["feature", "main"]


def test_data_from_another_branch_to_main_is_blocked(ann: Person, remote: Remote) -> None:
    ann.git("checkout", "--quiet", "-b", "feature")
    ann.commit("Add data", pairs("a"))
    ann.blocked("origin", "feature:main")
    assert remote.only_drop() == pairs("a")


def test_deleting_main_passes(ann: Person, remote: Remote) -> None:
    ann.commit("Add data", pairs("a"))
    ann.passes("origin", "main:feature", ":main")
    assert sorted(remote.branches()) == ["feature"]


def test_a_push_with_nothing_in_it_passes(ann: Person) -> None:
    assert "up-to-date" in ann.passes()


def test_a_push_without_checks_passes(ann: Person, remote: Remote) -> None:
    commit = ann.commit("Add data", pairs("a"))
    ann.passes("--no-verify", "origin", "main")
    assert remote.branches() == {"main": commit}


def test_a_first_push_without_data_passes(remote: Remote) -> None:
    ann = Person(remote, start=False)
    commit = ann.commit("Start", {"code.py": b"1\n"})
    ann.passes()
    assert remote.branches() == {"main": commit}


def test_a_first_push_with_data_sends_nothing_as_no_checks_could_run_there(remote: Remote) -> None:
    ann = Person(remote, start=False)
    ann.commit("Start", {"code.py": b"1\n"} | pairs("a"))
    assert "origin has no main yet" in ann.blocked()
    assert remote.branches() == {}


def test_a_forced_push_sends_what_their_main_would_gain(ann: Person, remote: Remote) -> None:
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.passes()
    ann.git("reset", "--quiet", "--hard", "HEAD^")
    ann.commit("Add data", pairs("a"))
    ann.blocked("--force", "origin", "main")
    assert remote.only_drop() == pairs("a")


def test_a_forced_push_over_commits_never_seen_here_is_compared_with_those(ann: Person, remote: Remote) -> None:
    bob = Person(remote, "bob")
    bob.commit("Add data", pairs("a"))
    bob.passes("--no-verify", "origin", "main")
    ann.commit("Add data too", pairs("a", "b"))
    ann.blocked("--force", "origin", "main")
    assert remote.only_drop() == pairs("b")
    assert remote.git("rev-parse", f"{remote.data_branches()[0]}^") == remote.branches()["main"]


def test_a_forced_push_without_data_passes(ann: Person) -> None:
    ann.git("commit", "--quiet", "--amend", "--message=Another start")
    ann.passes("--force", "origin", "main")


def test_an_executable_picture_is_sent_as_a_plain_file(ann: Person, remote: Remote) -> None:
    ann.write(pairs("a"))
    (ann.folder / "images/a.jpg").chmod(0o755)
    ann.commit("Add data", {})
    ann.blocked()
    assert remote.only_drop() == pairs("a")
    assert "100755" not in remote.git("ls-tree", "-r", remote.data_branches()[0])


@pytest.mark.parametrize("kind", ["link", "submodule", "pointer"])
def test_what_only_has_a_pictures_name_is_refused_by_name(ann: Person, remote: Remote, kind: str) -> None:
    ann.write(pairs("a"))
    if kind == "link":
        (ann.folder / "images/b.jpg").symlink_to("a.jpg")
    elif kind == "pointer":
        oid = "sha256:" + "0" * 64
        ann.write({"images/b.jpg": f"version https://git-lfs.github.com/spec/v1\noid {oid}\nsize 9\n".encode()})
    ann.git("add", "--all")
    if kind == "submodule":
        ann.git("update-index", "--add", "--cacheinfo", f"160000,{ann.git('rev-parse', 'HEAD')},images/b.jpg")
    ann.git("commit", "--quiet", "--message=Add data")
    said = ann.blocked()
    assert "links, submodules or Git LFS pointers" in said
    assert "images/b.jpg" in said
    assert "images/a.jpg" not in said
    assert remote.data_branches() == []


def test_a_push_of_thousands_of_files_is_sent_whole(ann: Person, remote: Remote) -> None:
    names = [f"{'long-name-' * 8}{number}" for number in range(1500)]
    ann.commit("Add a lot", pairs(*names))
    assert "1500 images and 1500 masks." in ann.blocked()
    (branch,) = remote.data_branches()
    assert len(remote.git("ls-tree", "-r", "--name-only", branch, "drops/").splitlines()) == 3000
