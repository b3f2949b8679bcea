"""`wms deploy` to a real Kubernetes: from the version in production to its image, its pods, and its model card."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests import cluster, containers
from tests.deployments_world import Command, DeploymentsWorld, told
from wms_resources.model_facts import IMAGE_TAG

KEY = "a-long-random-text"

pytest_plugins = ["tests.deployments_world"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where images go; the settings for deployments to the cluster name it."""
    cluster.require_cluster()
    containers.require_docker()
    name = f"wms-test-{uuid4().hex[:6]}"
    host = os.environ["REGISTRY"]
    values = tmp_path / "values.json"
    values.write_text(json.dumps(cluster.SMALL_PODS))
    for variable, value in {
        "WMS_DEPLOY_TARGET": "k3s",
        "WMS_IMAGE_REPOSITORY": f"{host}/{name}",
        "WMS_IMAGE_BASE": containers.BASE,
        "WMS_NAMESPACE_PREFIX": name,
        "WMS_HELM_VALUES": str(values),
        "WMS_CLUSTER_HOST": cluster.HOST,
        "WMS_SERVING_API_KEY": KEY,
        "WMS_CANARY_SECONDS": "1",
        "WMS_CANARY_REQUESTS": "4",
    }.items():
        monkeypatch.setenv(variable, value)
    yield f"{host}/{name}"
    cluster.delete_namespaces(name)
    containers.forget(f"{host}/{name}")


def card_of(deployments: DeploymentsWorld, version: str) -> str:
    """The model card that MLflow has of a version, as people find it there."""
    registry = deployments.parts.registry
    run = registry.client.get_run(registry.get(version).run_id)
    return (Path(run.info.artifact_uri.removeprefix("file://")) / "card" / "README.md").read_text()


def test_a_promoted_version_gets_its_image_its_pods_and_a_card_that_names_the_image(
    repository: str, deployments: DeploymentsWorld, cli: Command
) -> None:
    deployments.promoted("one")
    first = told(cli, "deploy")
    image = deployments.parts.registry.get("1").tags[IMAGE_TAG]
    assert image.startswith(f"{repository}@sha256:")
    assert image in card_of(deployments, "1")

    deployments.promoted("two")
    second = told(cli, "deploy")
    assert (second["model_version"], second["address"]) == ("2", first["address"])
    assert cluster.predict(second["address"], KEY) == "2"
    newest, oldest = deployments.shown()
    assert (oldest["image origin"], newest["image origin"]) == ("built", "appended")
    assert newest["bytes pushed"] < oldest["bytes pushed"] / 100
    (status,) = told(cli, "status", "--environment", "production")
    assert status["trouble"] == ""
