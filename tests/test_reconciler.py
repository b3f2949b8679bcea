"""The sensor that keeps what serves and what is in production one."""

from datetime import datetime, timedelta

import dagster as dg
import pytest

from tests.deployments_world import Command, DeploymentsWorld
from wms_sensors import reconciler as module
from wms_sensors.reconciler import RECONCILES, reconciler

pytest_plugins = ["tests.deployments_world"]


def tick(deployments: DeploymentsWorld, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, resources={"deployer": deployments.parts.deployer})
    found = reconciler(context)
    assert isinstance(found, dg.RunRequest | dg.SkipReason)
    return found


def said(found: dg.RunRequest | dg.SkipReason) -> str:
    assert isinstance(found, dg.SkipReason)
    return found.skip_message or ""


def test_a_difference_is_mended_once_and_then_left_for_a_while(
    deployments: DeploymentsWorld, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployments.promoted("one")
    cli("deploy")
    with dg.DagsterInstance.get() as instance:
        assert said(tick(deployments, instance)) == "what serves is what is in production"
        deployments.promoted("two")
        asked = tick(deployments, instance)
        assert isinstance(asked, dg.RunRequest)
        assert asked.run_config["ops"]["deployed_image"]["config"] == {"environment": "production"}
        assert asked.tags[RECONCILES] == "version 1 serves, version 2 is in production"
        job, ended = deploy_job(deployments), dg.DagsterRunStatus.FAILURE
        failed = instance.create_run_for_job(job, tags=dict(asked.tags), status=ended)
        assert failed.run_id[:8] in said(tick(deployments, instance))
        later = datetime.now() + timedelta(seconds=301)
        monkeypatch.setattr(module.time, "time", later.timestamp)
        assert isinstance(tick(deployments, instance), dg.RunRequest)


def test_it_waits_for_a_run_under_way(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    cli("deploy")
    deployments.promoted("two")
    with dg.DagsterInstance.get() as instance:
        job = deploy_job(deployments)
        started = instance.create_run_for_job(job, tags=dict(job.tags), status=dg.DagsterRunStatus.STARTED)
        assert said(tick(deployments, instance)) == f"run {started.run_id[:8]} (deploy_current) is under way"


def test_what_was_never_deployed_stays_away(deployments: DeploymentsWorld) -> None:
    deployments.promoted("one")
    with dg.DagsterInstance.ephemeral() as instance:
        assert said(tick(deployments, instance)) == "what serves is what is in production"


def deploy_job(deployments: DeploymentsWorld) -> dg.JobDefinition:
    from wms.definitions import build

    return build(deployments.settings).resolve_job_def("deploy_current")
