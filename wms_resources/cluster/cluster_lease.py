"""The lock of an environment on a cluster: a Lease in its namespace, which everybody who deploys there sees.

Whoever holds it writes down now and then that he lives. One that died holds nothing: on this machine that is known at
once, of another machine once the Lease has run out. Every change is conditional on what was read, so of two that want
it at the same moment one gets it. Clocks of the machines may differ by half a minute.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from wms_ml.errors import DeploymentError
from wms_resources.cluster.kubectl import Kubectl
from wms_resources.process import ProcessName, is_alive, this_process

NAME: Final = "wms-deployment"
_SECONDS: Final = 60
_RENEW_SECONDS: Final = 10
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(slots=True)
class Holding:
    """A lock that we hold.

    Attributes:
        lost: whether somebody else took it, as happens to who cannot reach the cluster for a minute.
    """

    lost: bool = False

    def require(self) -> None:
        """Raise DeploymentError when it is no longer ours."""
        if self.lost:
            raise DeploymentError("another deployment took over this environment while the cluster was out of reach")


@contextmanager
def held(kubectl: Kubectl) -> Iterator[Holding]:
    """Hold the namespace's lock during the block.

    Raises:
        DeploymentError: somebody else holds it, and lives as far as can be told; the message says who and since when.
    """
    me = this_process().encode()
    _take(kubectl, me)
    holding = Holding()
    over = threading.Event()
    renewal = threading.Thread(target=_renew, args=(kubectl, me, holding, over), daemon=True)
    renewal.start()
    try:
        yield holding
    finally:
        over.set()
        renewal.join()
        _leave(kubectl, me)


def holder(kubectl: Kubectl) -> str:
    """Who holds the namespace's lock now, in words; empty when nobody does."""
    lease = kubectl.get("lease", NAME)
    return _who(lease["spec"]) if lease and not _is_free(lease["spec"]) else ""


def _take(kubectl: Kubectl, me: str) -> None:
    while True:
        lease = kubectl.get("lease", NAME)
        if lease is None:
            if kubectl.create(_lease(kubectl.namespace, me)):
                return
        elif not _is_free(lease["spec"]):
            raise DeploymentError(
                f"another deployment runs in {kubectl.namespace}: {_who(lease['spec'])}. Wait until it is over; "
                f"should it hang, end that process: the environment is free then, {_SECONDS} s later for other machines"
            )
        elif kubectl.replace({**lease, "spec": _spec(me)}):
            return


def _renew(kubectl: Kubectl, me: str, holding: Holding, over: threading.Event) -> None:
    while not over.wait(_RENEW_SECONDS):
        try:
            lease = kubectl.get("lease", NAME)
            if not _is_mine(lease, me):
                holding.lost = True
                return
            kubectl.replace({**lease, "spec": {**lease["spec"], "renewTime": _now()}})
        except DeploymentError:
            continue  # the cluster is out of reach: it may be back before the lease runs out


def _leave(kubectl: Kubectl, me: str) -> None:
    lease = kubectl.get("lease", NAME)
    if _is_mine(lease, me):
        kubectl.replace({**lease, "spec": {}})


def _is_mine(lease: dict[str, Any] | None, me: str) -> TypeGuard[dict[str, Any]]:
    return lease is not None and lease["spec"].get("holderIdentity") == me


def _is_free(spec: dict[str, Any]) -> bool:
    """Whether nobody holds it who lives: not held, run out, or of a process of this machine that ended."""
    who = spec.get("holderIdentity")
    if not who or not spec.get("renewTime"):
        return True
    age = (datetime.now(UTC) - _moment(spec["renewTime"])).total_seconds()
    return age > spec["leaseDurationSeconds"] or not is_alive(_name(who))


def _who(spec: dict[str, Any]) -> str:
    name = _name(spec["holderIdentity"])
    return f"process {name.pid} on {name.host}, since {_moment(spec['acquireTime']):%Y-%m-%d %H:%M:%S} UTC"


def _name(text: str) -> ProcessName:
    return ProcessName(**json.loads(text))


def _lease(namespace: str, me: str) -> dict[str, Any]:
    metadata = {"name": NAME, "namespace": namespace}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": _spec(me)}


def _spec(me: str) -> dict[str, Any]:
    now = _now()
    return {"holderIdentity": me, "leaseDurationSeconds": _SECONDS, "acquireTime": now, "renewTime": now}


def _now() -> str:
    return datetime.now(UTC).strftime(_TIME)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
