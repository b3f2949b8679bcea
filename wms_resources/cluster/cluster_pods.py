"""What keeps the pods of a release from becoming ready, in words for people.

Kubernetes knows, but says it in several places: waiting containers, conditions, events, the log of a container that is
gone. And a rollout that is put back takes most of them along. So they are read while it goes on.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.cluster.cluster_namespace import KEY_SECRET
from wms_resources.cluster.kubectl import Kubectl

_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "ErrImageNeverPull"}
)
_SET_UP: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_TAINTS: Final = {
    "disk-pressure": "a node's disk is nearly full, and it starts no pods until some of it is free",
    "memory-pressure": "a node's memory is nearly used up, and it starts no pods until some of it is free",
    "unreachable": "a node does not answer: is it up?",
    "not-ready": "a node is not ready: see `kubectl describe nodes`",
    "unschedulable": "a node takes no pods: `kubectl uncordon` lets it again",
}
"""Remedies for what a node states of itself, `node.kubernetes.io/...`, when it takes no pods."""
_NO_KEY: Final = "production wants a key that callers must show: set WMS_SERVING_API_KEY to a long random text"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod, or one that cannot even be made, is not ready.

    Attributes:
        text: what was seen and what to do.
        hopeless: whether waiting will hardly help.
        release: whether the release is at fault, not the cluster or the way to its image.
    """

    text: str
    hopeless: bool = False
    release: bool = False


@dataclass(slots=True)
class Watch:
    """Looks at a rollout while it goes on, and says when there is no hope left.

    Attributes:
        kubectl: the namespace.
        deployment: name of the Deployment.
        selector: labels of the new pods.
        seconds: how long they may take to be ready.
        patience: how long a hopeless trouble may last: a registry may have hiccups.
    """

    kubectl: Kubectl
    deployment: str
    selector: str
    seconds: float
    patience: float
    _trouble: Trouble | None = None
    _gave_up: bool = False
    _started: float = field(default_factory=time.monotonic)
    _hopeless_since: float = field(default_factory=time.monotonic)

    def give_up(self) -> bool:
        """Look once; whether to wait no longer."""
        now = time.monotonic()
        seen = trouble(self.kubectl, self.deployment, self.selector)
        self._trouble = _fuller(self._trouble, seen) if self._trouble and seen else seen
        if self._trouble is None or not self._trouble.hopeless:
            self._hopeless_since = now
        self._gave_up = now - self._hopeless_since > self.patience or now - self._started > self.seconds
        return self._gave_up

    def error(self, what: str, error: DeploymentError) -> DeploymentError:
        """What to tell people about a rollout that ended with `error`, our own giving up mostly."""
        if self._trouble is None or not self._gave_up:
            return DeploymentError(f"{what}: {error}")
        kind = ReleaseError if self._trouble.release else DeploymentError
        return kind(f"{what}: {self._trouble.text}")


def current(kubectl: Kubectl, selector: str) -> list[dict[str, Any]]:
    """Pods with these labels that are neither on their way out nor ended.

    One that was evicted, of a node whose disk was full for example, stays listed long after another took its place.
    """
    return [pod for pod in kubectl.find("pods", selector) if "deletionTimestamp" not in pod["metadata"] and _lives(pod)]


def _lives(pod: dict[str, Any]) -> bool:
    return pod["status"].get("phase") not in ("Failed", "Succeeded")


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether it is, as the cluster sees it."""
    return _condition(pod, "Ready").get("status") == "True"


def trouble(kubectl: Kubectl, deployment: str, selector: str) -> Trouble | None:
    """What keeps pods with these labels from becoming ready now; None when nothing does."""
    for pod in current(kubectl, selector):
        if not is_ready(pod):
            return _of_pod(kubectl, pod)
    stated = kubectl.get("deployment", deployment)
    refused = _condition(stated or {}, "ReplicaFailure")
    if refused.get("status") == "True":
        return Trouble(f"the cluster makes no pod: {refused['message']}. Raise the quota, or lower `resources`")
    return None


def _of_pod(kubectl: Kubectl, pod: dict[str, Any]) -> Trouble:
    name = pod["metadata"]["name"]
    container = (pod["status"].get("containerStatuses") or [{}])[0]
    waiting = container.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in _IMAGE:
        return _image(kubectl, pod, f"{reason}: {message}")
    if reason in _SET_UP:
        remedy = _NO_KEY if KEY_SECRET in message else "see the Secrets and settings that its values name"
        return Trouble(f"pod {name} cannot be started ({reason}: {message}): {remedy}", hopeless=True)
    state, former = container.get("state", {}), container.get("lastState", {}).get("terminated")
    ended = state.get("terminated") or former
    words = _words(kubectl, name, former="running" in state and bool(former)) if container else ""
    if ended and not _was_put_down(ended):
        return _crash(name, ended, words)
    place = _condition(pod, "PodScheduled")
    if place.get("status") == "False":
        return _no_room(name, place.get("message", ""))
    seen = (kubectl.warnings(name) or ["nothing is known of it yet"])[-1]
    return Trouble(f"pod {name} is not ready: {seen}{_log(words)}", release="running" in state or bool(ended))


def _no_room(name: str, message: str) -> Trouble:
    stated = (remedy for taint, remedy in _TAINTS.items() if taint in message)
    remedy = next(stated, "free some, add a node, or lower `resources`")
    return Trouble(f"no node has room for pod {name} ({message}): {remedy}")


def _image(kubectl: Kubectl, pod: dict[str, Any], reason: str) -> Trouble:
    name, image = pod["metadata"]["name"], pod["spec"]["containers"][0]["image"]
    pulls = [warning for warning in kubectl.warnings(name) if "pull" in warning.lower()]
    told = max(pulls, key=len, default=reason)
    return Trouble(
        f"pod {name} cannot fetch {image}: {told}. Is it in that registry, does the node reach it, "
        "and are the registry's user and password right?",
        hopeless=True,
    )


def _words(kubectl: Kubectl, name: str, *, former: bool) -> str:
    return kubectl.last_words(name, former=former) or kubectl.last_words(name, former=not former)


def _fuller(before: Trouble, now: Trouble) -> Trouble:
    """What says more of the same: logs of containers that ended are cleaned away between two looks."""
    return before if before.hopeless and now.hopeless and len(before.text) > len(now.text) else now


def _was_put_down(ended: dict[str, Any]) -> bool:
    """Whether the cluster ended a container, because its probes had failed for too long."""
    return ended.get("reason") != "OOMKilled" and ended.get("exitCode") in (0, 137, 143)


def _crash(name: str, ended: dict[str, Any], words: str) -> Trouble:
    why = f"{ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}"
    remedy = ": it used more memory than `resources` grants" if ended.get("reason") == "OOMKilled" else ""
    text = f"pod {name} ended by itself ({why}){remedy}{_log(words)}"
    return Trouble(text, hopeless=True, release=True)


def _log(words: str) -> str:
    return f"; its last words:\n{words}" if words else ""


def _condition(thing: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions = thing.get("status", {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})
