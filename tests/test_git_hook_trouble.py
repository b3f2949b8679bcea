"""The hook when things go wrong: remotes that refuse, the same push again, two people at once, SIGKILL, failing git."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.git_people import Person, Remote, environment, pairs, scratch

KILLER = """#!/bin/sh
# Stands before git in the hook: counts its calls, and at call AT kills the hook or fails.
hook() { grep -qs /hooks/pre-push /proc/$1/cmdline; }
case " $* " in *" {command} "*) relevant=yes ;; *) relevant= ;; esac
if [ -n "$relevant" ] && hook $PPID; then
    echo >>'{count}'
    if [ "$(wc -l <'{count}')" -eq {at} ]; then
        [ {fails} = no ] || exit 128
        victim=$PPID
        while hook $victim; do
            next=$(sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/$victim/stat)
            kill -9 $victim
            victim=$next
        done
        exit 1
    fi
fi
exec '{git}' "$@"
"""


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "origin.git")


@pytest.fixture
def ann(remote: Remote) -> Person:
    person = Person(remote)
    person.commit("Both", {"code.py": b"2\n"} | pairs("a"))
    return person


def sabotaged(person: Person, at: int, *, command: str = "", fails: bool = False) -> dict[str, str]:
    """Environment in which the hook's `at`-th call of a git command (default: any) kills the hook, or fails."""
    count = person.home / "count"
    count.write_text("")
    tools = person.home / "tools"
    tools.mkdir(exist_ok=True)
    text = KILLER.replace('*" {command} "*', f'*" {command} "*' if command else "*")
    words = {"count": count, "at": at, "git": shutil.which("git"), "fails": "yes" if fails else "no"}
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", str(value))
    (tools / "git").write_text(text)
    (tools / "git").chmod(0o755)
    return {"GIT_EXEC_PATH": str(tools)}  # git puts this folder first in the PATH of its hooks


def test_killed_before_any_step_nothing_is_lost_and_the_next_push_completes(ann: Person, remote: Remote) -> None:
    before, main = ann.state(), remote.branches()["main"]
    for at in range(1, 100):
        killed = ann.run("git", "push", "origin", "main", **sabotaged(ann, at))
        assert killed.returncode == 1
        assert ann.state() == before
        assert remote.branches()["main"] == main
        shutil.rmtree(scratch(ann.home))
        if len((ann.home / "count").read_text()) < at:
            break
        if remote.data_branches():  # killed after it was sent: the next push finds it, note or no note
            ann.run("git", "push", "origin", "main")
            assert remote.only_drop() == pairs("a"), f"call {at}"
            remote.git("update-ref", "-d", f"refs/heads/{remote.data_branches()[0]}")
    assert at > 20
    ann.blocked()
    assert remote.only_drop() == pairs("a")


@pytest.mark.parametrize(
    "command",
    ["rev-list", "diff-tree", "config", "update-index", "write-tree", "ls-remote", "read-tree", "commit-tree", "push"],
)
def test_what_git_cannot_do_blocks_the_push_and_the_next_one_completes(
    ann: Person, remote: Remote, command: str
) -> None:
    said = ann.blocked(**sabotaged(ann, 1, command=command, fails=True))
    assert "wms: " in said
    assert "main was not pushed" in said
    assert remote.data_branches() == []
    ann.blocked()
    assert remote.only_drop() == pairs("a")


def test_a_remote_that_refuses_the_data_branch_is_quoted_and_nothing_is_lost(ann: Person, remote: Remote) -> None:
    remote.refuses("refs/heads/data/*")
    said = ann.blocked()
    assert "not today" in said
    assert "Nothing was sent" in said
    assert remote.data_branches() == []
    shutil.rmtree(remote.folder / "hooks")
    ann.blocked()
    assert remote.only_drop() == pairs("a")


@pytest.mark.parametrize("answers", [1, 2])
def test_a_remote_that_can_no_longer_be_reached_is_said(ann: Person, remote: Remote, answers: int) -> None:
    ssh = ann.home / "ssh"
    count = f"'{ann.home}/count'"
    ssh.write_text(f'#!/bin/sh\necho >>{count}\n[ $(wc -l <{count}) -le {answers} ] || exit 255\neval "$2"\n')
    ssh.chmod(0o755)
    said = ann.blocked(f"ssh://host{remote.folder}", "main", GIT_SSH_COMMAND=str(ssh), GIT_SSH_VARIANT="simple")
    assert "Nothing was sent, main was not pushed" in said
    assert remote.data_branches() == []
    ann.blocked()
    assert remote.only_drop() == pairs("a")


def test_the_same_push_again_points_to_the_branch_that_is_there(ann: Person, remote: Remote) -> None:
    ann.blocked()
    (branch,) = remote.data_branches()
    assert f"branch {branch} of origin already" in ann.blocked()
    assert remote.data_branches() == [branch]


def test_it_is_found_after_the_checks_have_rewritten_the_branch(ann: Person, remote: Remote) -> None:
    ann.blocked()
    (branch,) = remote.data_branches()
    remote.git("update-ref", f"refs/heads/{branch}", "main")
    assert f"branch {branch} of origin already" in ann.blocked()
    assert remote.data_branches() == [branch]


def test_it_is_found_after_main_has_moved_on(ann: Person, remote: Remote) -> None:
    ann.blocked()
    bob = Person(remote, "bob")
    bob.commit("Elsewhere", {"other.py": b"1\n"})
    bob.passes()
    ann.git("pull", "--quiet", "--rebase", "origin", "main")
    assert "origin already" in ann.blocked()
    assert len(remote.data_branches()) == 1


def test_it_is_found_by_somebody_else_who_has_fetched_it(ann: Person, remote: Remote) -> None:
    ann.blocked()
    ann.passes("origin", "main:feature")
    bob = Person(remote, "bob")
    bob.git("merge", "--quiet", "origin/feature")
    assert "origin already" in bob.blocked()
    assert len(remote.data_branches()) == 1


def test_a_branch_that_was_deleted_is_sent_again(ann: Person, remote: Remote) -> None:
    ann.blocked()
    remote.git("update-ref", "-d", f"refs/heads/{remote.data_branches()[0]}")
    assert "origin already" not in ann.blocked()
    assert remote.only_drop() == pairs("a")


def test_another_remote_gets_its_own_branch_whatever_has_its_name_there(
    ann: Person, remote: Remote, tmp_path: Path
) -> None:
    ann.blocked()
    (branch,) = remote.data_branches()
    fork = Remote(tmp_path / "fork.git")
    ann.git("push", "--quiet", str(fork.folder), "main^:refs/heads/main", f"main^:refs/heads/{branch}")
    ann.blocked(str(fork.folder), "main")
    (other,) = set(fork.data_branches()) - {branch}
    assert fork.sent(other) == remote.only_drop() == pairs("a")


def test_more_data_is_another_branch(ann: Person, remote: Remote) -> None:
    ann.blocked()
    ann.commit("Add more", pairs("b"))
    ann.blocked()
    first, second = remote.data_branches()
    assert remote.sent(first) == pairs("a")
    assert remote.sent(second) == pairs("a", "b")


def test_people_who_push_in_the_same_second_get_a_branch_each(remote: Remote) -> None:
    people = [Person(remote, name) for name in ("ann", "bob", "eve")]
    for person in people:
        person.commit("Add data", pairs(person.folder.name))
    pushes = [
        subprocess.Popen(
            ["git", "push", "origin", "main"],
            cwd=person.folder,
            env=environment(person.home),
            stderr=subprocess.PIPE,
            text=True,
        )
        for person in people
    ]
    said = {person.folder.name: push.communicate()[1] for person, push in zip(people, pushes, strict=True)}
    branches = remote.data_branches()
    assert len(branches) == len(people), said
    for branch in branches:
        (owner,) = [name for name, words in said.items() if f"branch {branch} of origin\n" in words]
        assert remote.sent(branch) == pairs(owner)
