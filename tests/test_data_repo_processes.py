"""The data repository among other processes: busy ones, and callers with habits of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.data_world import World, call_before, contents, end, expected, start
from wms_ml.errors import DataRepoError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_processes_that_propose_at_the_same_time_all_succeed(world: World) -> None:
    clones = enumerate(("clone", "clone", "other"))
    children = [start(partial(world.clone(clone).propose, *world.drop(f"drop{n}", f"x{n}"))) for n, clone in clones]
    assert [end(child) for child in children] == [0, 0, 0]
    assert set(world.branches()) == {"data/drop0", "data/drop1", "data/drop2"}


@contextlib.contextmanager
def stopped_at(event: str, word: str, work: Callable[[], object]) -> Iterator[int]:
    """Start `work` and wait until its process, whose id is yielded, stops before that audit event."""

    def stop_there() -> None:
        call_before(event, word, lambda: os.kill(os.getpid(), signal.SIGSTOP))
        work()

    child = start(stop_there)
    try:
        os.waitpid(child, os.WUNTRACED)
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_proposals_wait_for_each_other_and_reading_waits_for_nobody(world: World) -> None:
    propose = world.clone().propose
    with stopped_at("subprocess.Popen", "'push'", partial(propose, *world.drop("one", "a"))) as stopped:
        waiting = start(partial(propose, *world.drop("two", "b")))
        assert world.clone().accepted() is None
        time.sleep(1.5)
        assert os.waitpid(waiting, os.WNOHANG) == (0, 0)
        os.kill(stopped, signal.SIGCONT)
        assert (end(stopped), end(waiting)) == (0, 0)


def test_processes_that_want_the_same_folder_make_it_once(world: World, tmp_path: Path) -> None:
    drop = world.drop("one", "a")
    version = world.clone().propose(*drop)
    materialize = partial(world.clone().materialize, version, tmp_path / "data")
    with stopped_at("os.rename", ".partial", materialize) as stopped:
        waiting = start(materialize)
        time.sleep(1.5)
        os.kill(stopped, signal.SIGCONT)
        assert (end(stopped), end(waiting)) == (0, 0)
    assert contents(tmp_path / "data") == expected(drop)


def test_main_that_moves_in_the_moment_of_accepting_is_not_overwritten(world: World) -> None:
    repo = world.clone()
    winner, loser = (repo.propose(*world.drop(name, name)) for name in ("winner", "loser"))

    def move_main_to(commit: str) -> None:
        (world.origin / "refs/heads/main").write_text(commit)

    def accept_too_late() -> None:
        call_before("subprocess.Popen", "'push'", lambda: move_main_to(winner.commit))
        with pytest.raises(DataRepoError, match="propose again"):
            repo.accept(loser)

    assert end(start(accept_too_late)) == 0
    assert world.branches()["main"] == winner.commit


def test_a_file_that_changes_while_it_is_copied_is_refused(world: World) -> None:
    drop = world.drop("one", "a")
    picture = drop[1]["images/a.jpg"]

    def change_it_before_the_second_look() -> None:
        looks = 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal looks
            if event == "open" and arguments[0] in (picture, str(picture)):
                looks += 1
                if looks == 2:
                    picture.write_text("other")

        sys.addaudithook(watch)
        with pytest.raises(DataRepoError, match=r"a\.jpg changed while it was copied"):
            world.clone().propose(*drop)

    assert end(start(change_it_before_the_second_look)) == 0
    assert world.branches() == {}


def test_the_callers_git_environment_and_configuration_are_ignored(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-push").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-push").chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    foreign = tmp_path / "foreign.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(foreign)], check=True)
    before = contents(foreign)
    with monkeypatch.context() as patch:
        for name, value in {
            "GIT_DIR": str(foreign),
            "GIT_OBJECT_DIRECTORY": str(foreign / "objects"),
            "GIT_NAMESPACE": "elsewhere",
            "HOME": str(tmp_path),
            "GIT_AUTHOR_NAME": "somebody",
            "GIT_TRACE": "1",
        }.items():
            patch.setenv(name, value)
        repo = world.clone()
        version = repo.accept(repo.propose(*world.drop("one", "a")))
    assert contents(foreign) == before
    assert world.git("log", "-1", "--format=%an <%ae>", version.commit) == "wms <wms@localhost>"


def test_nothing_is_printed_on_a_terminal(world: World, tmp_path: Path) -> None:
    drop_id, files, manifest = world.drop("one", *(f"x{n}" for n in range(20)))
    shared = f"origin={str(world.origin)!r}, remote={str(world.remote)!r}"
    program = f"""if True:
        from pathlib import Path
        from wms_resources.data_repo import DataRepo
        files = {{name: Path(path) for name, path in { ({k: str(v) for k, v in files.items()})!r}.items()}}
        clone = DataRepo(path={str(tmp_path / "clone")!r}, {shared})
        version = clone.propose({drop_id!r}, files, Path({str(manifest)!r}))
        clone.accept(version)
        other = DataRepo(path={str(tmp_path / "other")!r}, {shared})
        other.materialize(version, Path({str(tmp_path / "data")!r}))
        print("done", flush=True)
    """
    ours, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=terminal, stderr=terminal):
        os.close(terminal)
        assert read_to_end(ours).replace(b"\x1b[0m", b"").split() == [b"done"]


def read_to_end(terminal: int) -> bytes:
    printed = b""
    with contextlib.suppress(OSError):  # the way a terminal says that nobody writes to it any more
        while chunk := os.read(terminal, 4096):
            printed += chunk
    os.close(terminal)
    return printed


def test_the_callers_output_streams_are_left_as_they_are(tmp_path: Path) -> None:
    program = f"""if True:
        import pathlib, sys
        from wms_resources.dvc_content import opened
        with opened(pathlib.Path({str(tmp_path)!r}), "remote", {{}}):
            sys.exit(sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__)
    """
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.PIPE)


def test_importing_the_module_does_not_import_dvc() -> None:
    program = "import sys, wms_resources.data_repo; sys.exit(bool({'dvc', 'botocore'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_an_origin_that_is_no_repository_is_named_with_gits_words(world: World) -> None:
    world.origin.mkdir()
    (world.origin / "notes.txt").write_text("not git")
    with pytest.raises(DataRepoError, match=r"origin\.git.*does not appear to be a git repository"):
        world.clone().accepted()
