"""Jobs about what is deployed that make no new version of it: going back, and looking."""

import dagster as dg

from wms_assets.deployment_facts import deployment_facts
from wms_assets.failures import plain_failures
from wms_assets.moves import report_move
from wms_resources.deployment.deployer import Deployer
from wms_resources.deployment.deployment_status import statuses, table
from wms_resources.orphans import claim_run

ONE_AT_A_TIME = {"wms/pipeline": "model"}
"""Runs with this tag wait for each other in Dagster's queue: one training pipeline at a time."""


class RollbackConfig(dg.Config):
    """Back to what, where, and why."""

    reason: str
    to: str = ""  # number or alias of a version that was in production; empty for the one before
    environment: str = ""  # staging or production; empty for WMS_DEPLOY_ENVIRONMENT
    by: str = ""


@dg.op
def roll_back(context: dg.OpExecutionContext, config: RollbackConfig, deployer: dg.ResourceParam[Deployer]) -> None:
    """Puts the version before back, in the registry and in front of people; on staging in front of people only."""
    claim_run(context)
    where, by = config.environment or deployer.environments.default, config.by or f"dagster run {context.run_id}"
    with plain_failures():
        done, moved = deployer.rollback(
            where,
            by=by,
            reason=config.reason,
            to=config.to,
            tell=lambda step, words: context.log.info(f"{step}: {words}"),
        )
    if moved:
        report_move(context.instance, deployer.promoter, moved, by, config.reason)
    said = f"rolled back by {by}: {config.reason}"
    context.log_event(dg.AssetMaterialization("deployed_image", description=said, metadata=deployment_facts(done)))


@dg.op
def look(context: dg.OpExecutionContext, deployer: dg.ResourceParam[Deployer]) -> None:
    """Shows what stands in each environment beside what should."""
    claim_run(context)
    with plain_failures():
        found = statuses(deployer)
    trouble = [f"{each.environment}: {each.trouble}" for each in found if each.trouble]
    context.log_event(
        dg.AssetObservation(
            "deployed_image", description="; ".join(trouble), metadata={"status": dg.MetadataValue.md(table(found))}
        )
    )
    for each in trouble:
        context.log.warning(each)


@dg.job(tags=ONE_AT_A_TIME, description="Go back to the version before: in the registry and in front of people.")
def rollback_deployment() -> None:
    """One op."""
    roll_back()


@dg.job(description="What serves in each environment, and what should.")
def deploy_status() -> None:
    """One op."""
    look()
