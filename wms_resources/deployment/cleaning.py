"""Removing what older deployments left behind, on all sides: release folders, targets, images."""

from wms_ml.errors import DeploymentError
from wms_resources.deployment.environments import NAMES, Environments
from wms_resources.deployment.last_deployed import LastDeployed
from wms_resources.deployment.releases import Releases
from wms_resources.deployment.targets import Package, Target


def clean(
    environments: Environments, releases: Releases, last: LastDeployed, target: Target, package: Package
) -> list[str]:
    """Remove what nobody goes back to: neither what stands somewhere, nor what was deployed last, nor the newest.

    Args:
        target: where a release has just been deployed; other environments are left alone.
        package: that release.

    Returns:
        what is gone, or why it is not: the deployment has succeeded either way.
    """
    try:
        stands = [each for name in NAMES for each in _packages(environments.open(name))]
        keep = [package, *stands, *filter(None, (last.read(name) for name in NAMES))]
        tags = {each.tag for each in keep}
        gone = [f"release {tag}" for tag in releases.tidy(tags)] + target.tidy(tags)
        images = environments.images
        return gone + (images.tidy({each.image for each in keep if each.image}) if images else [])
    except (DeploymentError, OSError) as error:
        return [f"not everything could be cleaned: {error}"]


def _packages(target: Target) -> list[Package]:
    standing = target.standing()
    return [each.package for each in (standing.stable, standing.canary) if each]
