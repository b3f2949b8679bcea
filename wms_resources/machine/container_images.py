"""Images of releases on this machine: pulled when they are to run, removed when nobody wants to go back to them."""

import json
from collections.abc import Callable, Collection
from typing import Any, Final

from wms_ml.errors import DeploymentError
from wms_resources.images.container_login import logged_in
from wms_resources.images.registry_login import Credentials
from wms_resources.machine.container_command import ContainerCommand

_RELEASE: Final = "wms.release"
"""Label of an image: the release that it holds."""
_UNREACHABLE: Final = "the registry cannot be reached: does it run, and does WMS_IMAGE_REPOSITORY name it?"
_REFUSED: Final = "the registry refuses us: check WMS_REGISTRY_USER and WMS_REGISTRY_PASSWORD"
_MISSING: Final = "the registry does not have it any more: deploy its version again, which makes it"
_REMEDIES: Final = {
    "no space left on device": "the disk is full: `docker system prune` or `podman system prune` makes room",
    "unauthorized": _REFUSED,
    "authentication required": _REFUSED,
    "no basic auth": _REFUSED,
    "denied": _REFUSED,
    "manifest unknown": _MISSING,
    "not found": _MISSING,
    "connection refused": _UNREACHABLE,
    "no such host": _UNREACHABLE,
    "dial tcp": _UNREACHABLE,
    "request canceled": _UNREACHABLE,
    "deadline exceeded": _UNREACHABLE,
}
"""What to do, by what is said of a pull; the first that fits."""


def pull(command: ContainerCommand, image: str, login: Callable[[], Credentials]) -> None:
    """Have an image here; `login` is asked for what its registry is shown.

    Raises:
        DeploymentError: it cannot be had; says why and what to do.
    """
    if not command.call("image", "inspect", image).returncode:
        return  # named by its content: what is here is what the registry has
    host = image.partition("/")[0]
    plain = ["--tls-verify=false"] if command.is_podman and host.startswith(("127.", "localhost")) else []
    with logged_in(host, login()) as environment:
        done = command.call("pull", "--quiet", *plain, image, **environment)
    if done.returncode:
        said = done.stderr.strip()
        remedy = next((each for words, each in _REMEDIES.items() if words in said.lower()), "")
        raise DeploymentError(f"{image} cannot be pulled: {remedy or 'docker or podman says why'} ({said})")


def forget(command: ContainerCommand, repository: str, keep: Collection[str]) -> list[str]:
    """Remove the images of other releases that were pulled from a repository, but those in use; their names.

    Args:
        command: whose images.
        repository: `host[:port]/name`.
        keep: tags of releases whose images stay.
    """
    names = [
        name
        for each in _pulled(command, repository)
        if each["Config"]["Labels"][_RELEASE] not in keep and not each["RepoTags"]
        for name in each["RepoDigests"]
        if name.startswith(f"{repository}@")
    ]
    return [f"image {name}" for name in names if not command.call("rmi", name).returncode]


def _pulled(command: ContainerCommand, repository: str) -> list[dict[str, Any]]:
    wanted = f"--filter=label={_RELEASE}"
    identities = set(command.required("images", "--quiet", "--no-trunc", wanted, repository).split())
    if not identities:
        return []
    found: list[dict[str, Any]] = json.loads(command.required("image", "inspect", *identities))
    return found
