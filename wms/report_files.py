"""Where commands put their reports: files, or `-` for standard output, refused before the long work, not after."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final, TextIO

import typer

from wms_ml.files import whole

STDOUT: Final = Path("-")


def refuse_unwritable(targets: Mapping[str, Path | None]) -> None:
    """Make sure that every target, by the option that names it, can be written.

    Raises:
        typer.BadParameter: one cannot, or two want standard output or the same file.
    """
    taken: dict[Path, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        place = path if path == STDOUT else path.absolute()
        if place in taken:
            raise typer.BadParameter(f"{path} is where {taken[place]} goes already", param_hint=option)
        taken[place] = option
        if path != STDOUT and (reason := _reason(path)):
            raise typer.BadParameter(f"{path} cannot be written: {reason}", param_hint=option)


def _reason(path: Path) -> str | None:
    if path.is_dir():
        return "it is a folder; name a file in it"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}; make it first"
    if _is_device(path):
        return None
    try:
        # Trying it is the one test that holds for root, read-only file systems and full disks alike.
        with tempfile.TemporaryFile(dir=path.parent):
            return None
    except OSError as error:
        return error.strerror or str(error)


def write(path: Path | None, text: Callable[[], str]) -> None:
    """Write what `text` makes as UTF-8: a file whole or not at all, a device or pipe as it goes; nothing without path.

    Raises:
        typer.BadParameter: the disk is full, or the place is gone by now.
    """
    if path is None:
        return
    if path == STDOUT:
        typer.echo(text(), nl=False)
        return
    content = text()
    try:
        if _is_device(path):
            path.write_text(content, encoding="utf-8")
        else:
            with whole(path) as part:
                part.write_text(content, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{path} could not be written: {error.strerror or error}") from error


@contextmanager
def open_target(path: Path) -> Iterator[TextIO]:
    """A text file for what is too much to be held at once: standard output, a device or pipe, or a file that is whole.

    Raises:
        typer.BadParameter: the disk is full, or the place is gone by now.
    """
    if path == STDOUT:
        yield sys.stdout
        return
    try:
        with (
            nullcontext(path) if _is_device(path) else whole(path) as place,
            place.open("w", encoding="utf-8", newline="") as file,
        ):
            yield file
    except OSError as error:
        raise typer.BadParameter(f"{path} could not be written: {error.strerror or error}") from error


def _is_device(path: Path) -> bool:
    # /dev/stdout, /dev/null, a named pipe: putting a file in their place would destroy them.
    return path.exists() and not path.is_file()
