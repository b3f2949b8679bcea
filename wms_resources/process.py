"""Names of processes that outlive their numbers: a pid is reused, a pid with its start time on its host is not."""

import json
import os
import socket
import subprocess
from dataclasses import asdict, dataclass
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class ProcessName:
    """A process for good.

    Attributes:
        host: machine it runs on.
        pid: its number there.
        started: its start time, seconds since the epoch.
    """

    host: str
    pid: int
    started: float

    def encode(self) -> str:
        """As text, for a tag."""
        return json.dumps(asdict(self))

    @staticmethod
    def decode(text: str) -> "ProcessName | None":
        """From a tag's text; None when the tag is absent."""
        return ProcessName(**json.loads(text)) if text else None


def end_child(process: "subprocess.Popen[Any]", grace_seconds: float) -> None:
    """End a process that we started, and wait for it: asked first, killed after the grace; one that ended is well."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def this_process() -> ProcessName:
    """The name of the process that asks."""
    return ProcessName(socket.gethostname(), os.getpid(), psutil.Process().create_time())


def is_alive(name: ProcessName) -> bool:
    """Whether it still runs; a process on another machine cannot be seen from here and counts as alive."""
    if name.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(name.pid)
        same = abs(process.create_time() - name.started) < 2
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
