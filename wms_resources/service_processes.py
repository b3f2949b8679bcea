"""The processes of the local service: started, waited for, ended, and found whoever started them.

Which processes are ours is read from the process table, not from a file that a killed deployment could leave wrong.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from wms_ml.errors import DeploymentError

START_SECONDS: Final = 60

STOP_SECONDS: Final = 25
"""Longer than a service takes to finish what is in flight after another one took over: at most 19 s."""

_HANDOVER: Final = "handover"


@dataclass(frozen=True, slots=True)
class Found:
    """A process of a service.

    Attributes:
        process: in the process table.
        host: address it was told to listen on.
        port: port it was told to listen on.
        public: whether it serves callers, or is to; otherwise it is a rehearsal.
    """

    process: psutil.Process
    host: str
    port: int
    public: bool


def find(folder: str) -> list[Found]:
    """The processes of the service in `folder`, oldest first."""
    found = []
    for process in psutil.process_iter(["cmdline", "create_time"]):
        line = process.info["cmdline"] or []
        if "serving" in line and _option(line, "--label") == folder:
            host, port = _option(line, "--host"), int(_option(line, "--port"))
            found.append((process.info["create_time"], Found(process, host, port, "--handover" in line)))
    return [each for _, each in sorted(found, key=lambda timed: timed[0])]


def command(folder: str, release: Path, host: str, port: int, *, public: bool) -> list[str]:
    """The command that serves a release: to callers, in succession to the process that does now, or as a rehearsal."""
    line = [sys.executable, "-m", "serving", "--release", str(release), "--host", host, "--port", str(port)]
    return [*line, "--label", folder, *(["--handover", str(Path(folder) / _HANDOVER)] if public else [])]


class Started:
    """A process that we started and whose log we read."""

    def __init__(self, line: Sequence[str], log: Path) -> None:
        """Start it apart from this process, with a log of its own: the process before it keeps the old one."""
        self.log = log
        if log.exists():
            log.replace(log.with_suffix(".before.log"))
        with log.open("xb") as file:
            self._process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, env=_environment()
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def announced(self) -> bool:
        """Whether it has said that it serves."""
        return any(line.startswith(b"serving ") for line in self.log.read_bytes().splitlines())

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Wait for what it should do.

        Raises:
            DeploymentError: it ended instead, or took too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not happened():
            if self._process.poll() is not None:
                said = self.log.read_text(errors="replace").strip()[-2000:]
                raise DeploymentError(f"the new service ended with exit code {self._process.returncode}: {said}")
            if time.monotonic() > deadline:
                raise DeploymentError(f"the new service was not ready after {START_SECONDS} s: see {self.log}")
            time.sleep(0.05)

    def end(self) -> None:
        """End it; gracefully first."""
        end([psutil.Process(self.pid)] if self._process.poll() is None else [])
        self._process.wait()


def still_there(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended by themselves after the time that a service takes to finish what is in flight."""
    _, left = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    return list(left)


def end(processes: list[psutil.Process]) -> None:
    """End them; gracefully first."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)


def _option(line: list[str], name: str) -> str:
    return line[line.index(name) + 1] if name in line else ""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_PIPES")}
