"""From the model in production to the service that people call: `deployed_image`."""

from functools import partial

import dagster as dg

from wms_assets.failures import plain_failures
from wms_assets.model import production_model
from wms_resources.local_service import LocalService
from wms_resources.orphans import claim_run
from wms_resources.promotion import Promoter
from wms_resources.registry import Registry
from wms_resources.releases import Releases, prove


@dg.asset(deps=[production_model], group_name="deployment", kinds={"fastapi", "onnx"}, owners=["team:ml"])
def deployed_image(
    context: dg.AssetExecutionContext,
    registry: Registry,
    promoter: Promoter,
    releases: Releases,
    service: LocalService,
) -> dg.MaterializeResult[None]:
    """The service, running the version that is in production now: the one that was promoted last, and no other.

    The new release proves itself on a private port first; the old one goes on serving until it has, and if it does not.
    """
    claim_run(context)
    with plain_failures():
        version = promoter.in_production(registry)
        release = releases.build(registry, version)
        deployment = service.deploy(release, partial(prove, release))
    context.log.info(f"version {version.version} serves at {deployment.url}")
    return dg.MaterializeResult(
        metadata={
            "address": dg.MetadataValue.url(deployment.url),
            "API": dg.MetadataValue.url(f"{deployment.url}/docs"),
            "model version": deployment.model_version,
            "release": deployment.tag,
            "process": deployment.pid,
            **version.metrics,
        }
    )
