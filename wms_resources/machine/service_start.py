"""Waiting for an instance that was started, and telling whose fault it is when nothing comes of it."""

import re
import time
from collections.abc import Callable
from typing import Final

import httpx

from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.service_calls import calling, is_ready, plain_get, stated
from wms_resources.deployment.targets import Package
from wms_resources.machine.instances import Instance

START_SECONDS: Final = 60

_PAUSE_SECONDS: Final = 0.1
_KILLED: Final = (-9, 137)
_REFUSED_SETTING: Final = re.compile(r"^error: .*WMS_SERVING_", re.MULTILINE)
_LONGEST_SILENCE: Final = 10
"""How long a process that serves may leave the next one without an answer (serving/handover.py)."""


def wait_until(instance: Instance, happened: Callable[[], bool]) -> None:
    """Wait for what it should do.

    Raises:
        ReleaseError: it ended instead, or took too long.
        DeploymentError: it was killed, or says that a setting keeps it from starting.
    """
    deadline = time.monotonic() + START_SECONDS
    while not happened():
        code = instance.exit_code()
        if code is not None:
            raise _ended(instance, code)
        if time.monotonic() > deadline:
            raise ReleaseError(f"{instance.name} was not ready after {START_SECONDS} s: {instance.said()}")
        time.sleep(_PAUSE_SECONDS)


def _ended(instance: Instance, code: int) -> DeploymentError:
    said = instance.said()
    if code in _KILLED:
        return DeploymentError(f"{instance.name} was killed before it was ready: is there memory enough? {said}")
    kind = DeploymentError if _REFUSED_SETTING.search(said) else ReleaseError  # such a setting stops any release
    return kind(f"{instance.name} ended with exit code {code}: {said}")


def require_release(url: str, package: Package) -> None:
    """Ask an instance which release it serves.

    Raises:
        ReleaseError: another one.
        DeploymentError: it cannot be reached.
    """
    with calling(url) as http:
        served = stated(http)
    if (served.get("tag"), served.get("digest")) != (package.tag, package.digest):
        raise ReleaseError(
            f"{url} serves release {served.get('tag')} with model {served.get('digest')}, "
            f"not {package.tag} with {package.digest}"
        )


def serves(url: str, package: Package) -> bool:
    """Whether this release answers there, ready."""
    if not is_ready(url):
        return False
    try:
        require_release(url, package)
    except DeploymentError:
        return False
    return True


def is_hung(url: str) -> bool:
    """Whether somebody listens there who answers nobody."""
    try:
        plain_get(f"{url}/health", _LONGEST_SILENCE)
    except httpx.TimeoutException:
        return True
    except httpx.TransportError:
        return False
    return False
