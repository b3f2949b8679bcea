"""How a long program tells the outside world where it is: a bar on a terminal, lines in Dagster's log.

The programs of this library run by hand as well as under an orchestrator. Under one they find a Dagster Pipes
session in their environment and report through it; without one they behave like any command.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tqdm import tqdm


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
    return tqdm(total=total, desc=title, file=sys.stderr, disable=None, leave=False, dynamic_ncols=True)


def follow(progress: "tqdm[Any]") -> Callable[[int, int], None]:
    """A callback (done, total) that moves a bar."""

    def show(done: int, total: int) -> None:
        progress.total = total
        progress.update(done - progress.n)

    return show
