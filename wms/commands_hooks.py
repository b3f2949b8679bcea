"""Commands about the git hook that keeps pictures out of `main`: install, uninstall, status.

The hook is a copy in the clone's own hooks folder: it works on commits older than itself and without this package.
A hook that was there before keeps running, after ours. A hooks folder of another tool's is never written to.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from wms.output import say
from wms_ml.errors import WmsError
from wms_ml.files import whole

HOOK: Final = Path(__file__).resolve().parent.parent / "infra" / "git-hooks" / "pre-push"
_MARK: Final = b"# wms-platform pre-push hook\n"
_UNSET: Final = 1
"""Exit status of `git config --get` for a setting that nobody made."""

app: Final = typer.Typer(help="The git hook that sends pictures to a data branch.", no_args_is_help=True)
Repository = Annotated[Path, typer.Argument(help="your clone, or any folder in it")]


class HookError(WmsError):
    """The hook cannot be put into a repository, or taken out of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where git looks for the hook of a clone.

    Attributes:
        hook: the file.
        former: where the hook that was there before is kept.
        note: what the hook remembers about its pushes.
        foreign: whether the folder is set in `core.hooksPath`, so that it belongs to another tool or many clones.
    """

    hook: Path
    former: Path
    note: Path
    foreign: bool

    @staticmethod
    def of(repository: Path) -> "Place":
        """The place in a clone; every worktree of it has the same.

        Raises:
            HookError: `repository` is not in a clone with a working tree, or there is no git.
        """
        found = _git(repository, "rev-parse", "--show-toplevel", "--git-common-dir").stdout.splitlines()
        if len(found) != 2:
            raise HookError(f"{repository.absolute()} is not in a clone with a working tree: cd into yours, try again")
        top, common = Path(found[0]), repository.absolute() / found[1]
        setting = _git(repository, "config", "--type=path", "--get", "core.hooksPath")
        if setting.returncode not in (0, _UNSET):
            raise HookError(f"git cannot read core.hooksPath: {setting.stderr.strip()}")
        folder = top / setting.stdout.strip() if setting.stdout else common / "hooks"
        hook = Path(os.path.normpath(folder / "pre-push"))
        return Place(hook, hook.with_name("pre-push.before-wms"), common / "wms-sent", foreign=bool(setting.stdout))

    @property
    def is_ours(self) -> bool:
        """Whether the hook is some version of ours."""
        return self.hook.is_file() and _MARK in self.hook.read_bytes()

    @property
    def is_current(self) -> bool:
        """Whether the hook is ours, of this version, and git runs it."""
        return self.is_ours and self.hook.read_bytes() == HOOK.read_bytes() and os.access(self.hook, os.X_OK)

    def refuse_if_foreign(self) -> None:
        """Raise HookError with what to do instead when the folder is not the clone's own."""
        if self.foreign:
            raise HookError(
                f"core.hooksPath is set, so {self.hook.parent} belongs to another tool or to many clones, and is left "
                f"alone. Make this the first line of {self.hook}, before anything reads its input, or take it out: "
                f"sh '{HOOK}' \"$@\" || exit 1"
            )


@app.command()
def install(repository: Repository = Path()) -> None:
    """Put the pre-push hook into a clone; the hook that is there already runs after it."""
    place = Place.of(repository)
    if place.is_current:
        say(f"installed already: {place.hook}")
        return
    place.refuse_if_foreign()
    if _is_there(place.hook) and not place.is_ours:
        if _is_there(place.former):
            raise HookError(f"{place.hook} and {place.former.name} are both other hooks: remove one, then try again")
        place.hook.rename(place.former)
    place.hook.parent.mkdir(parents=True, exist_ok=True)
    with whole(place.hook) as part:
        shutil.copyfile(HOOK, part)
        part.chmod(0o755)
    say(f"installed {place.hook}: pictures in a push to main now go to a branch of their own (docs/git-route.md)")
    if _is_there(place.former):
        say(f"the hook that was there before is now {place.former.name}, and runs after it")


@app.command()
def uninstall(repository: Repository = Path()) -> None:
    """Take the pre-push hook out of a clone, and put back the one that was there before."""
    place = Place.of(repository)
    if not place.is_ours and (_is_there(place.hook) or not _is_there(place.former)):
        say(f"not installed in {place.hook.parent}: nothing to do")
        return
    place.refuse_if_foreign()
    if _is_there(place.former):
        place.former.replace(place.hook)
        say(f"put back the hook that was there before: {place.hook}")
    else:
        place.hook.unlink()
        say(f"removed {place.hook}")
    place.note.unlink(missing_ok=True)


@app.command()
def status(repository: Repository = Path()) -> None:
    """Say whether the hook is in a clone and up to date; exit 1 when it is not."""
    place = Place.of(repository)
    if place.is_current:
        say(f"installed: {place.hook}")
        return
    say(
        f"{'out of date or not executable' if place.is_ours else 'not installed'}: {place.hook}. Run: wms hooks install"
    )
    raise typer.Exit(1)


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _git(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    if not repository.is_dir():
        raise HookError(f"no folder {repository}")
    program = shutil.which("git")
    if program is None:
        raise HookError("git is not installed: install it, then try again")
    return subprocess.run([program, *arguments], cwd=repository, capture_output=True, text=True, check=False)
