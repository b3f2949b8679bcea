"""A deployment to a cluster as a process of its own, for tests that kill it: `python -m tests.cluster_deployment`.

Arguments: environment, prefix, file of values, image, tag, model version, digest.
"""

import sys
from pathlib import Path

from tests.charts import CHART
from wms_resources.cluster.cluster_target import ClusterTarget
from wms_resources.deployment.targets import Package, Track


def main() -> None:
    environment, prefix, values, image, tag, version, digest = sys.argv[1:]
    target = ClusterTarget(environment, CHART, prefix, values=[Path(values)])
    target.put(Track.STABLE, Package(tag, version, digest, image=image))


if __name__ == "__main__":
    main()
