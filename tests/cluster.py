"""Real clusters for tests: found by the environment, with small images of the service to put on them.

KUBECONFIG names the cluster, REGISTRY (host:port) a registry that its nodes and this machine's docker reach.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.charts import CHART
from tests.containers import Image, built
from tests.onnx_model import write_release
from tests.serving_process import ROOT
from wms_ml.samples import render
from wms_resources.cluster.cluster_target import ClusterTarget
from wms_resources.deployment.targets import Package, Track

HOST: Final = os.environ.get("NODE_HOST", "127.0.0.1")
"""Where node ports are reached from here."""
SMALL: Final = "small.json"
"""In a test's folder: values of pods that are small and leave soon."""
SMALL_PODS: Final = {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}, "preStopSeconds": 3}


@dataclass(frozen=True)
class Cluster:
    """A cluster, a registry, and the image of the service without a model; everything of ours is named `name`."""

    name: str
    registry: str
    code: Image
    folder: Path

    def package(self, version: str, *more: str, **instead: Any) -> Package:
        """An image of the service with a model of this version, pushed.

        `more` are lines of its Dockerfile, `instead` what release.json says other than is true.
        """
        place, tag = self.folder / uuid4().hex, uuid4().hex[:12]
        stated = write_release(place / "release", **{"model_version": version, "tag": tag, **instead})
        return self.packaged(Package(tag, version, stated["digest"], str(place / "release")), *more)

    def packaged(self, release: Package, *more: str) -> Package:
        """An image with a release folder, pushed; `more` are lines of its Dockerfile."""
        folder = Path(release.folder)
        place, tag = folder.parent, release.tag
        lines = (f"FROM {self.code.tag}", f"COPY {folder.name} /release", *more)
        (place / "Dockerfile").write_text("\n".join(lines))
        reference = f"{self.registry}/{self.name}:{tag}"
        self.docker("build", "--tag", reference, str(place))
        self.docker("push", reference)
        said: list[str] = json.loads(self.docker("image", "inspect", "--format", "{{json .RepoDigests}}", reference))
        self.docker("rmi", reference)
        (image,) = [each for each in said if each.startswith(f"{self.registry}/{self.name}@")]
        return replace(release, folder="", image=image)

    def docker(self, *arguments: str) -> str:
        done = self.code.call(*arguments)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def target(self, environment: str, **attributes: Any) -> ClusterTarget:
        """An environment of this test run, in a namespace of its own; quick to give up."""
        quick = {"ready_seconds": 150, "patience": 3, "lifetime_hours": 1, "values": [self._small()], "host": HOST}
        return ClusterTarget(environment, CHART, self.name, **{**quick, **attributes})

    def deployment(self, environment: str, package: Package) -> "subprocess.Popen[bytes]":
        """A process that puts a package on the stable track of such an environment."""
        about = (package.image, package.tag, package.model_version, package.digest)
        line = [sys.executable, "-m", "tests.cluster_deployment", environment, self.name, str(self._small()), *about]
        return subprocess.Popen(line, cwd=ROOT)

    def _small(self) -> Path:
        values = self.folder / SMALL
        values.write_text(json.dumps(SMALL_PODS))
        return values


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster to test on; where there is none, the tests are skipped, and say so."""
    require_cluster()
    with built() as code:
        cluster = Cluster(f"wms-test-{uuid4().hex[:6]}", os.environ["REGISTRY"], code, folder)
        try:
            yield cluster
        finally:
            delete_namespaces(cluster.name)


def require_cluster() -> None:
    """Skip the test where this machine knows no cluster."""
    for command in ("kubectl", "helm", "docker"):
        if shutil.which(command) is None:
            pytest.skip(f"NO CLUSTER: {command} is not installed, so nothing was deployed on Kubernetes")
    for variable in ("KUBECONFIG", "REGISTRY"):
        if not os.environ.get(variable):
            pytest.skip(f"NO CLUSTER: {variable} is not set, so nothing was deployed on Kubernetes")


def delete_namespaces(prefix: str) -> None:
    """Without waiting until they are gone."""
    found = kubectl("get", "namespaces", "--output=name").split()
    mine = [name for name in found if name.startswith(f"namespace/{prefix}-")]
    if mine:
        kubectl("delete", "--wait=false", *mine)


def kubectl(*arguments: str) -> str:
    done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pods(target: ClusterTarget, track: Track = Track.STABLE) -> set[str]:
    """Names of the pods of a track that are not on their way out."""
    where = (f"--namespace={target.prefix}-{target.environment}", f"--selector=track={track}")
    found = json.loads(kubectl("get", "pods", *where, "--output=json"))["items"]
    return {pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def version(url: str) -> str:
    """The version of the model that answers there."""
    return str(httpx.get(f"{url}/version", timeout=10).raise_for_status().json()["model_version"])


def predict(url: str, key: str = "") -> str:
    """The version that answers a picture, asked over a connection of its own."""
    picture = {"image": ("a.jpg", render(seed=1, index=0).image_jpeg, "image/jpeg")}
    answer = httpx.post(f"{url}/predict", files=picture, headers={"X-API-Key": key}, timeout=30).raise_for_status()
    return str(answer.json()["model_version"])
