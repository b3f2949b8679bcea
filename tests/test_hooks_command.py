"""`wms hooks`: into a clone and out of it again, leaving what others put there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.git_people import HOOK, Person, Remote, environment, pairs, scratch

FORMER = "pre-push.before-wms"


@pytest.fixture
def ann(tmp_path: Path) -> Person:
    person = Person(Remote(tmp_path / "origin.git"))
    person.hook.unlink()
    return person


def wms_hooks(person: Person, *arguments: str, expect: int = 0, at: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from wms.cli import main; main()", "hooks", *arguments],
        cwd=at or person.folder,
        env=environment(person.home, PYTHONPATH=str(HOOK.parent.parent.parent)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stderr


def former_hook(person: Person, path: Path, *, status: int = 0) -> str:
    """A hook of somebody else's that notes what git told it; returns its text."""
    text = f"#!/bin/sh\n(echo \"$@\"; cat) >'{person.home}/noted'\nexit {status}\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return text


def test_installing_makes_the_hook_work(ann: Person) -> None:
    said = wms_hooks(ann, "install")
    assert f"installed {ann.hook}" in said
    ann.commit("Add data", pairs("a"))
    ann.blocked()


def test_installing_again_changes_nothing(ann: Person) -> None:
    wms_hooks(ann, "install")
    before = ann.state()
    assert "installed already" in wms_hooks(ann, "install")
    assert ann.state() == before


def test_an_older_version_is_brought_up_to_date(ann: Person) -> None:
    ann.hook.write_text(HOOK.read_text() + "# older\n")
    assert "out of date" in wms_hooks(ann, "status", expect=1)
    wms_hooks(ann, "install")
    assert ann.hook.read_bytes() == HOOK.read_bytes()
    assert list(ann.hook.parent.iterdir()) == [ann.hook]


def test_a_hook_that_lost_its_permission_gets_it_back(ann: Person) -> None:
    wms_hooks(ann, "install")
    ann.hook.chmod(0o644)
    wms_hooks(ann, "status", expect=1)
    wms_hooks(ann, "install")
    assert "installed:" in wms_hooks(ann, "status")


def test_installing_in_a_worktree_or_a_subdirectory_guards_the_whole_clone(ann: Person, tmp_path: Path) -> None:
    ann.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    wms_hooks(ann, "install", at=tmp_path / "tree")
    assert ann.hook.is_file()
    wms_hooks(ann, "status", at=ann.folder / "docs" / "images")
    ann.commit("Add data", pairs("a"))
    ann.blocked()


@pytest.mark.parametrize("where", ["nothing", "bare", "missing"])
def test_outside_a_clone_it_is_one_sentence(ann: Person, tmp_path: Path, where: str) -> None:
    (tmp_path / "nothing").mkdir()
    folder = {"nothing": tmp_path / "nothing", "bare": ann.remote.folder, "missing": tmp_path / "missing"}[where]
    said = wms_hooks(ann, "install", str(folder), expect=1)
    assert said.startswith("error: ")
    assert ("no folder" if where == "missing" else "is not in a clone with a working tree") in said
    assert not list(folder.rglob("pre-push"))


def test_uninstalling_restores_what_was_there(ann: Person) -> None:
    before = ann.state()
    wms_hooks(ann, "install")
    ann.commit("Add data", pairs("a"))
    ann.blocked()
    wms_hooks(ann, "uninstall")
    assert not (ann.folder / ".git/wms-sent").exists()
    ann.git("reset", "--quiet", "--hard", "HEAD^")
    assert set(ann.state()) - set(before) <= {".git/ORIG_HEAD"}
    assert "nothing to do" in wms_hooks(ann, "uninstall")


def test_the_hook_that_was_there_before_runs_after_ours_and_is_put_back(ann: Person) -> None:
    text = former_hook(ann, ann.hook)
    assert "runs after it" in wms_hooks(ann, "install")
    commit = ann.commit("Change code", {"code.py": b"2\n"})
    ann.passes()
    noted = (ann.home / "noted").read_text().splitlines()
    assert noted[0] == f"origin file://{ann.remote.folder}"
    assert noted[1].startswith(f"refs/heads/main {commit} refs/heads/main ")
    wms_hooks(ann, "uninstall")
    assert ann.hook.read_text() == text
    assert list(ann.hook.parent.iterdir()) == [ann.hook]


def test_the_hook_that_was_there_before_is_not_asked_about_data(ann: Person) -> None:
    former_hook(ann, ann.hook)
    wms_hooks(ann, "install")
    ann.commit("Add data", pairs("a"))
    ann.blocked()
    assert not (ann.home / "noted").exists()


def test_the_hook_that_was_there_before_can_still_object(ann: Person) -> None:
    former_hook(ann, ann.hook, status=3)
    wms_hooks(ann, "install")
    ann.commit("Change code", {"code.py": b"2\n"})
    assert "wms" not in ann.blocked()


def test_a_tool_that_puts_itself_in_front_and_calls_us_does_not_turn_in_circles(ann: Person) -> None:
    wms_hooks(ann, "install")
    ann.hook.rename(ann.hook.with_name("pre-push.legacy"))
    turn = "[ ${TURNS:-0} -lt 5 ] || exit 9; export TURNS=$((${TURNS:-0} + 1))"
    ann.hook.write_text(f'#!/bin/sh\n{turn}\nexec "$(dirname "$0")/pre-push.legacy" "$@"\n')
    ann.hook.chmod(0o755)
    wms_hooks(ann, "install")
    ann.commit("Change code", {"code.py": b"2\n"})
    ann.passes()
    ann.commit("Add data", pairs("a"))
    ann.blocked()


def test_two_other_hooks_are_for_people_to_settle(ann: Person) -> None:
    former_hook(ann, ann.hook)
    former_hook(ann, ann.hook.with_name(FORMER))
    before = ann.state()
    assert "remove one" in wms_hooks(ann, "install", expect=1)
    assert ann.state() == before


def test_another_tools_hooks_folder_is_left_alone_and_its_remedy_works(ann: Person) -> None:
    ann.git("config", "core.hooksPath", ".husky")
    husky = ann.folder / ".husky" / "pre-push"
    former_hook(ann, husky)
    before = ann.state()
    said = wms_hooks(ann, "install", expect=1, at=ann.folder / "docs")
    assert str(husky) in said
    assert ann.state() == before
    line = said.strip().splitlines()[-1].rpartition("or take it out: ")[2]
    husky.write_text(f"#!/bin/sh\n{line}\n")
    ann.commit("Add data", pairs("a"))
    ann.blocked()


def test_the_projects_own_hooks_folder_counts_as_installed(ann: Person) -> None:
    ann.git("config", "core.hooksPath", os.fspath(HOOK.parent))
    wms_hooks(ann, "status")
    assert "installed already" in wms_hooks(ann, "install")
    assert "core.hooksPath is set" in wms_hooks(ann, "uninstall", expect=1)
    assert HOOK.is_file()


def test_a_hook_that_is_not_ours_is_not_taken_out(ann: Person) -> None:
    text = former_hook(ann, ann.hook)
    assert "nothing to do" in wms_hooks(ann, "uninstall")
    assert ann.hook.read_text() == text
    assert scratch(ann.home).is_dir()
