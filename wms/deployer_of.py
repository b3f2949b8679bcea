"""The deployer that a set-up's settings ask for."""

import logging
import os
from pathlib import Path

from wms.settings import PROJECT, Settings
from wms_resources.deployment.canary_watch import Plan
from wms_resources.deployment.deployer import Deployer
from wms_resources.deployment.environments import Environments
from wms_resources.deployment.incidents import Incidents
from wms_resources.deployment.last_deployed import LastDeployed
from wms_resources.deployment.releases import Releases
from wms_resources.images.images import Images
from wms_resources.images.registry_login import Credentials
from wms_resources.promotion import Promoter
from wms_resources.registry import Registry
from wms_resources.workspace import Workspace


def deployer_of(settings: Settings, registry: Registry, promoter: Promoter) -> Deployer:
    """The deployer; the service's key is the one that services are started with, WMS_SERVING_API_KEY."""
    home, seconds, key = settings.home, settings.watch_seconds, settings.service_key
    return Deployer(
        registry=registry,
        promoter=promoter,
        workspace=Workspace(home=str(home)),
        releases=Releases(
            folder=str(home / "releases"),
            project=str(PROJECT),
            base=settings.image_base if settings.deploy_target != "process" else "",
            golden=settings.golden,
        ),
        environments=_environments(settings, key),
        golden=settings.golden,
        floor=settings.golden_iou,
        key=key,
        plan=Plan(seconds > 0, settings.canary_share, seconds, settings.canary_requests),
        incidents=Incidents(home / "incidents", settings.notify_webhook.get_secret_value()),
        last=LastDeployed(home / "deployed"),
    )


def _environments(settings: Settings, key: str) -> Environments:
    return Environments(
        kind=settings.deploy_target,
        default=settings.deploy_environment,
        folder=settings.home,
        host=settings.serve_host,
        port=settings.serve_port,
        images=_images(settings) if settings.deploy_target != "process" else None,
        chart=PROJECT / "infra" / "helm" / "wms-model",
        values=[Path(settings.helm_values)] if settings.helm_values else [],
        prefix=settings.namespace_prefix,
        cluster_host=settings.cluster_host,
        helm=settings.helm,
        kubectl=settings.kubectl,
        context=settings.kube_context,
        api_key=key,
        service={name: value for name, value in os.environ.items() if name.startswith("WMS_SERVING_")},
    )


def _images(settings: Settings) -> Images:
    return Images(
        repository=settings.image_repository,
        project=PROJECT,
        base=settings.image_base,
        bills=settings.home / "bills-of-materials",
        builder=settings.image_builder,
        credentials=Credentials(settings.registry_user, settings.registry_password.get_secret_value()),
        say=logging.getLogger("wms.images").info,
    )
