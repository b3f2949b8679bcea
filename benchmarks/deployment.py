"""From promoted to serving: what a new model with unchanged code costs on a cluster.

`python -m benchmarks.deployment [--model FILE] [--rounds N]` deploys a new model again and again: with the platform's
layer on top of the image that the registry has, and with docker's build and push from nothing. Both go over a line that
counts bytes, to one registry, and by the same chart to the same cluster. Time ends when the address that people call
answers with the new version. Needs docker, a base image, helm, and KUBECONFIG and REGISTRY of a running cluster.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.images import MODEL_BYTES, Bench, Cost, code_of_now, table
from tests import containers
from tests.charts import CHART
from tests.cluster import HOST, kubectl, require_cluster
from tests.onnx_model import write_release
from tests.rollout_world import restated
from tests.wire import wired
from wms_resources.cluster.cluster_target import ClusterTarget
from wms_resources.deployment.release_folder import package_of
from wms_resources.deployment.targets import Package, Track

Pushed = Callable[[Bench, Path], str]
"""Puts a release's image into the registry; `repository@sha256:...`."""

WAYS: Final[dict[str, Pushed]] = {"one layer on top": Bench.layered, "docker, from nothing": Bench.from_nothing}
_POLL_SECONDS: Final = 0.05


def new_release(folder: Path, version: int, model: Path | None) -> Path:
    """A release nobody has deployed yet: of this model under another name, or of a small one with much ballast."""
    release = folder / str(version)
    write_release(release, model_version=str(version), tag=uuid4().hex[:12])
    network = onnx.load(model or release / "model.onnx")
    network.doc_string = uuid4().hex
    if model is None:
        ballast = np.frombuffer(os.urandom(MODEL_BYTES), np.uint8)
        network.graph.initializer.append(numpy_helper.from_array(ballast, "ballast"))
    onnx.save(network, release / "model.onnx")
    restated(release)
    return release


def deployed(target: ClusterTarget, package: Package) -> None:
    """Have the cluster serve a package, and return when whoever calls it is answered by it."""
    target.put(Track.STABLE, package)
    while httpx.get(f"{target.url}/version").json()["tag"] != package.tag:
        time.sleep(_POLL_SECONDS)


def compare(folder: Path, model: Path | None, rounds: int) -> dict[str, list[Cost]]:
    """What each way costs, in as many rounds; registry, docker and cluster know the code before they begin."""
    (folder / "project").mkdir()
    target = ClusterTarget("deployment", CHART, f"wms-bench-{uuid4().hex[:6]}", host=HOST)
    costs: dict[str, list[Cost]] = {name: [] for name in WAYS}
    with wired(os.environ["REGISTRY"]) as line:
        bench = Bench(code_of_now(folder / "project"), line)
        try:
            for number, name in enumerate([*WAYS, *list(WAYS) * rounds]):
                release = new_release(folder, number, model)
                before, began = line.sent, time.perf_counter()
                deployed(target, replace(package_of(release), image=WAYS[name](bench, release)))
                cost = Cost(line.sent - before, time.perf_counter() - began)
                print(name, cost, "" if number >= len(WAYS) else "(not counted)", file=sys.stderr, flush=True)
                if number >= len(WAYS):
                    costs[name].append(cost)
        finally:
            kubectl("delete", "namespace", "--ignore-not-found", f"{target.prefix}-{target.environment}")
            bench.clean()
    return costs


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="From promoted to serving, for a new model with unchanged code.")
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: a small one with ballast of a usual size")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    containers.require_docker()
    require_cluster()
    with tempfile.TemporaryDirectory() as folder:
        print(table(compare(Path(folder), options.model, options.rounds)))


if __name__ == "__main__":
    main()
