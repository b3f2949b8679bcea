"""From the model in production to the service that people call: `deployed_image`, and the check that says why not."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from wms_assets.deployment_facts import deployment_facts, incident_facts
from wms_assets.failures import plain_failures
from wms_assets.model import production_model
from wms_assets.moves import report_move
from wms_resources.deployment.deployer import Deployer, IncidentError
from wms_resources.orphans import claim_run

CHECK: Final = "reached_people"


class DeployConfig(dg.Config):
    """Where to, and what."""

    environment: str = ""  # staging or production; empty for WMS_DEPLOY_ENVIRONMENT
    version: str = ""  # staging only: another version than production's, number or alias


@dg.asset(
    deps=[production_model],
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset="deployed_image",
            description="The release came up, proved itself and held out as a canary; where not, the incident.",
        )
    ],
    group_name="deployment",
    kinds={"fastapi", "onnx", "docker", "kubernetes"},
    owners=["team:ml"],
)
def deployed_image(
    context: dg.AssetExecutionContext, config: DeployConfig, deployer: dg.ResourceParam[Deployer]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """The service, running the version that is in production now: the one that was promoted last, and no other.

    A new release proves itself beside the old one first, in production by canary as well. The old one goes on serving
    until it has, and if it does not; `production` then goes back to what serves.
    """
    claim_run(context)
    where = config.environment or deployer.environments.default
    try:
        with plain_failures(but=IncidentError):
            done = deployer.deploy(where, config.version, tell=lambda step, words: context.log.info(f"{step}: {words}"))
    except IncidentError as error:
        if error.moved:
            report_move(context.instance, deployer.promoter, error.moved, "a failed rollout", error.incident.reason)
        yield dg.AssetCheckResult(
            passed=False, check_name=CHECK, description=str(error), metadata=incident_facts(error.incident)
        )
        raise dg.Failure(description=str(error), allow_retries=False) from error
    context.log.info(f"version {done.version.version} serves in {where} at {done.url}")
    yield dg.AssetCheckResult(passed=True, check_name=CHECK, description=f"{where}: version {done.version.version}")
    yield dg.MaterializeResult(metadata=deployment_facts(done))
