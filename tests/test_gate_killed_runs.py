"""A whole Dagster run that is killed while `production` moves: the same again ends as if nothing had happened.

`test_promotion_killed.py` kills a promotion between any two of its calls; here it happens inside Dagster.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from tests.dying_run import AFTER_THE_ALIAS, BEFORE_THE_ALIAS, BEFORE_THE_LINE
from tests.gate_runs import PRODUCTION, HandedOver
from tests.promotion_world import Challenge
from wms.runs import INSTANCE_FILE

pytest_plugins = ["tests.promotion_world"]
pytestmark = pytest.mark.slow

MOMENTS = {BEFORE_THE_LINE: ("1", ["1"]), BEFORE_THE_ALIAS: ("1", ["1", "2"]), AFTER_THE_ALIAS: ("2", ["1", "2"])}
"""What each leaves behind: who has the alias, and the versions in the history."""


class KilledRuns(HandedOver):
    """A challenger that may be promoted, and runs of `production_model` alone, each a process of its own."""

    def __init__(self, challenge: Challenge) -> None:
        super().__init__(challenge.world)
        self.challenge = challenge
        self.hand_over(challenge.challenger)
        self.dagster = self.world.home / "dagster"
        self.dagster.mkdir()
        shutil.copyfile(INSTANCE_FILE, self.dagster / "dagster.yaml")

    def materialize(self, *program: str, expect: int) -> None:
        """Run Dagster's command by `program`; it has to end with this exit status."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("WMS_", "DAGSTER_"))}
        command = ["asset", "materialize", "-m", "wms.definitions", "--select", PRODUCTION.to_user_string()]
        done = subprocess.run(
            [sys.executable, "-m", *program, *command],
            cwd=Path(__file__).resolve().parent.parent,
            env={**clean, **self.environment, "DAGSTER_HOME": str(self.dagster)},
            capture_output=True,
            text=True,
            start_new_session=True,  # a run and its children are one group, and die as one
            check=False,
        )
        assert done.returncode == expect, done.stderr

    def shown(self) -> list[str]:
        """Versions that Dagster shows as put into production."""
        with dg.DagsterInstance.from_config(str(self.dagster)) as instance:
            records = instance.fetch_materializations(PRODUCTION, limit=10).records
        found = [each.asset_materialization for each in records]
        return [str(each.metadata["version"].value) for each in found if each]


@pytest.fixture
def runs(challenge: Challenge) -> KilledRuns:
    return KilledRuns(challenge)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_while_production_moves_is_finished_by_the_same_materialization(
    runs: KilledRuns, moment: str
) -> None:
    world, challenger = runs.world, runs.challenge.challenger.version
    runs.materialize("tests.dying_run", moment, expect=-signal.SIGKILL)
    alias, history = world.state()
    assert (alias, [line.version for line in history]) == MOMENTS[moment]
    assert (world.promoter.data_repo.accepted(), runs.shown()) == (None, [])

    runs.materialize("dagster", expect=0)
    runs.challenge.check_done()
    assert runs.shown() == [challenger]
    accepted = world.promoter.data_repo.accepted()
    assert accepted is not None
    assert accepted.commit == runs.data.commit
    assert "Dice 0.6000" in world.registry.client.get_model_version("m", challenger).description  # its card is there
