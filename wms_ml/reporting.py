"""How a long program tells the outside world where it is: a bar on a terminal, lines in Dagster's log.

The programs of this library run by hand as well as under an orchestrator. Under one they find a Dagster Pipes
session in their environment and report through it; without one they behave like any command.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Protocol

from tqdm import tqdm

_EVERY: Final = 30.0


def is_first() -> bool:
    """Whether this process speaks for all that torch's launcher started."""
    return os.environ.get("RANK", "0") == "0"


class Reporter(Protocol):
    """Where a program reports to."""

    def line(self, text: str) -> None:
        """One sentence for people."""

    def result(self, values: dict[str, Any]) -> None:
        """The program's outcome, once, at its end; JSON values only."""


class _Terminal:
    def line(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def result(self, values: dict[str, Any]) -> None:
        """Nothing: the program writes its outcome to its own files."""


class _Silent:
    def line(self, text: str) -> None:
        """Nothing: another process of the same training speaks."""

    def result(self, values: dict[str, Any]) -> None:
        """Nothing."""


class _Pipes:
    def __init__(self, context: Any) -> None:
        self._context = context

    def line(self, text: str) -> None:
        self._context.log.info(text)

    def result(self, values: dict[str, Any]) -> None:
        self._context.report_custom_message(values)


@contextmanager
def reporter() -> Iterator[Reporter]:
    """The reporter that fits this process; under an orchestrator the process also ends when that one dies."""
    if not is_first():
        yield _Silent()
        return
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield _Terminal()
        return
    from dagster_pipes import open_dagster_pipes

    _end_with_parent()
    with open_dagster_pipes() as context:
        yield _Pipes(context)


def _end_with_parent() -> None:
    """Exit when standard input closes: the orchestrator holds its other end, so even SIGKILL there is noticed here."""

    def wait() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would be in the way at interpreter shutdown
            pass
        os._exit(1)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def bar(total: int, title: str) -> "tqdm[Any]":
    """A progress bar on standard error; silent where that is no terminal."""
    shown = None if is_first() else True
    return tqdm(total=total, desc=title, file=sys.stderr, disable=shown, leave=False, dynamic_ncols=True)


@contextmanager
def steps(total: int, title: str, report: Reporter) -> Iterator[Callable[[str], None]]:
    """Progress of a long pass: call what is given after each step, with what is to be said of it.

    A bar on a terminal; where nobody sees one, a line every `_EVERY` seconds, so that a log shows life.
    """
    began = said = time.monotonic()
    done = 0
    with bar(total, title) as progress:

        def step(remark: str) -> None:
            nonlocal done, said
            done += 1
            progress.set_postfix_str(remark, refresh=False)
            progress.update()
            now = time.monotonic()
            if progress.disable and done < total and now - said > _EVERY:
                said = now
                left = timedelta(seconds=round((now - began) / done * (total - done)))
                report.line(f"{title}: step {done}/{total}  {remark}  {left} left of this epoch")

        yield step


def follow(progress: "tqdm[Any]") -> Callable[[int, int], None]:
    """A callback (done, total) that moves a bar."""

    def show(done: int, total: int) -> None:
        progress.total = total
        progress.update(done - progress.n)

    return show
