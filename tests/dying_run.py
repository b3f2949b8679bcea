"""Dagster's own command, killed with its children at a moment of promotion: `python -m tests.dying_run MOMENT ...`."""

import os
import runpy
import signal
import sys
from typing import Final

from mlflow import MlflowClient

from tests.data_world import call_before

BEFORE_THE_LINE: Final = "the line of the history is about to be written"
BEFORE_THE_ALIAS: Final = "the line is written, and the alias is about to move"
AFTER_THE_ALIAS: Final = "the alias has just moved"


def die() -> None:
    os.killpg(0, signal.SIGKILL)


def arm(moment: str) -> None:
    """Make this process die at a moment."""
    if moment == BEFORE_THE_LINE:
        call_before("subprocess.Popen", "--force-with-lease=refs/heads/production", die)
        return
    move = MlflowClient.set_registered_model_alias

    def move_and_die(client: MlflowClient, model: str, alias: str, version: str) -> None:
        if alias == "production" and moment == BEFORE_THE_ALIAS:
            die()
        move(client, model, alias, version)
        if alias == "production" and moment == AFTER_THE_ALIAS:
            die()

    MlflowClient.set_registered_model_alias = move_and_die


if __name__ == "__main__":
    arm(sys.argv.pop(1))
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)
