"""A set-up with models in its registry and an environment to deploy them to: processes, and `wms` as people call it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from typer.testing import CliRunner, Result

from tests.models_world import ModelsWorld
from tests.rig import free_port
from tests.rollout_world import write_golden
from wms.cli import app
from wms_resources.deployment.environments import NAMES
from wms_resources.deployment.incidents import Incident

Command = Callable[..., Result]


class DeploymentsWorld(ModelsWorld):
    """Its services are of the models that `promoted` puts into production."""

    def serves(self, environment: str = "production") -> tuple[str | None, str | None]:
        """Model versions that answer there: on the stable track, and beside it."""
        standing = self.parts.deployer.environments.open(environment).standing()
        stable, canary = (each and each.package.model_version for each in (standing.stable, standing.canary))
        return stable, canary

    def answers(self) -> str:
        """Model version that callers are answered by."""
        url = self.parts.deployer.environments.open("production").url
        return str(httpx.get(f"{url}/version", trust_env=False).json()["model_version"])

    def incidents(self) -> list[Incident]:
        return self.parts.deployer.incidents.all()

    def shown(self, asset: str = "deployed_image") -> list[dict[str, Any]]:
        """What the UI shows of an asset, newest first."""
        with dg.DagsterInstance.get() as instance:
            found = instance.fetch_materializations(dg.AssetKey(asset), limit=20).records
        told = [each.asset_materialization for each in found]
        return [{name: value.value for name, value in each.metadata.items()} for each in told if each]


@pytest.fixture
def deployments(tmp_path: Path, blank_mlflow: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeploymentsWorld]:
    home = tmp_path / "home"
    for name, value in {
        "WMS_HOME": str(home),
        "WMS_USER": "ann",
        "WMS_SERVE_PORT": str(free_port()),
        "WMS_GOLDEN": str(write_golden(tmp_path / "golden")),
        "DAGSTER_HOME": str(home / "dagster"),
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    world = DeploymentsWorld(home, blank_mlflow)
    yield world
    if world.parts.deployer.environments.kind != "k3s":
        for name in NAMES:
            world.parts.deployer.environments.machine(name).stop()


@pytest.fixture
def cli(deployments: DeploymentsWorld) -> Command:
    """`wms` on that set-up, in this process; errors come out as they are."""

    def invoke(*arguments: str, expect: int = 0) -> Result:
        done = CliRunner().invoke(app, arguments)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == expect, done.output
        return done

    return invoke


def told(wms: Command, *arguments: str, expect: int = 0) -> Any:
    return json.loads(wms(*arguments, "--json", expect=expect).stdout)
