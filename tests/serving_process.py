"""The serving program as people run it: a process of its own on a free port."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.onnx_model import write_release

ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Service:
    """A running one: its address, process, first line, and the file of its standard error."""

    url: str
    process: subprocess.Popen[str]
    line: str
    errors: Path


def command(release: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "serving", "--release", str(release), *options]


def refused(release: Path, *options: str, **settings: str) -> str:
    """What a service that must not start says before it exits with 1; `settings` are environment variables."""
    done = subprocess.run(
        command(release, *options),
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


@contextmanager
def running(release: Path, errors: Path, *options: str, **settings: str) -> Iterator[Service]:
    """A service of `release`, stopped at the end.

    `errors` is the file for its standard error, `settings` are environment variables.
    """
    with errors.open("w") as log:
        process = subprocess.Popen(
            command(release, *(options or ("--port", "0"))),
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("serving "), errors.read_text()
        yield Service(line.split()[-1], process, line, errors)
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Service]:
    """The service of a model that marks what is red, all its files in `folder`."""
    write_release(folder / "release")
    with running(folder / "release", folder / "errors.log", **settings) as service:
        yield service
