"""The training program in processes of its own that can be killed, forked from one that has imported torch already."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tests.data_world import end, start
from wms_ml import attempt, devices, export, training


def begin(*arguments: str, said: Path | None = None, first: Callable[[], object] = lambda: None) -> int:
    """Start the program, calling `first` in its process; returns its process id. What it says goes to `said`."""

    def work() -> None:
        if said:
            with said.open("wb") as file:
                os.dup2(file.fileno(), 2)
        sys.stderr = os.fdopen(os.dup(2), "w")
        torch.set_num_threads(1)
        first()
        status = training.main(list(arguments))
        sys.stderr.flush()
        os._exit(status)

    return start(work)


def until(condition: Callable[[], bool], process: int) -> None:
    """Wait for a condition, as long as the process runs."""
    while not condition():
        ended, status = os.waitpid(process, os.WNOHANG)
        assert not ended, f"it ended, with status {status}, before it came that far"
        time.sleep(0.01)


def run(*arguments: str, expect: int = 0) -> str:
    """Run the program to its end; returns what it said."""
    with tempfile.NamedTemporaryFile() as file:
        status = end(begin(*arguments, said=Path(file.name)))
        said = Path(file.name).read_text()
    assert status == expect, said
    assert "Traceback" not in said, said
    return said


IMPORTED = (attempt, devices, export)
"""What the program imports late, imported here so that forked processes find it."""
