"""A rollout that is killed, at or after a step: `python -m tests.dying_rollout HOME PACKAGE STEP SECONDS [PREFIX]`.

PACKAGE is JSON. With a PREFIX it goes to a cluster, otherwise to the processes below HOME.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from tests.charts import CHART
from tests.cluster import HOST, SMALL
from tests.rollout_world import QUICK, process_target
from wms_resources.cluster.cluster_target import ClusterTarget
from wms_resources.deployment.golden import golden
from wms_resources.deployment.rollout import Step, roll_out
from wms_resources.deployment.targets import Package, Target

ENVIRONMENT: Final = "rollouts"
"""Of a cluster; none that the chart has values for."""


def main(home: Path, package: Package, moment: Step, seconds: float, prefix: str) -> None:
    """Roll out; end as `kill -9` ends it when the moment comes, with 0 when it never does."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def tell(step: Step, _: str) -> None:
        if step is moment and seconds:
            threading.Timer(seconds, die).start()
        elif step is moment:
            die()

    roll_out(_target(home, prefix), package, QUICK, golden(str(home / "golden")), tell)


def _target(home: Path, prefix: str) -> Target:
    if prefix:
        return ClusterTarget(ENVIRONMENT, CHART, prefix, values=[home / SMALL], host=HOST)
    return process_target(home)


if __name__ == "__main__":
    home, package, step, seconds, *prefix = sys.argv[1:]
    main(Path(home), Package(**json.loads(package)), Step(step), float(seconds), "".join(prefix))
