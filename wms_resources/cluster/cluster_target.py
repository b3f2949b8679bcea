"""Releases on Kubernetes: an environment is one namespace with one Helm release of our chart, both tracks in it.

What stands there is what Helm completed last; the Deployments say how it fares. Helm's own waiting is not believed
alone: behind an API server's cache it has taken a broken image for a success.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from wms_ml.errors import DeploymentError
from wms_resources.cluster import cluster_lease
from wms_resources.cluster.cluster_namespace import KEY_ENTRY, KEY_SECRET, PULL_SECRET, Namespace
from wms_resources.cluster.cluster_pods import Watch, current, is_ready
from wms_resources.cluster.cluster_values import NOTHING, has_image, placed, runs, stated, tracks
from wms_resources.cluster.helm import Helm, Revision, completed
from wms_resources.cluster.kubectl import Kubectl
from wms_resources.deployment.targets import Package, Standing, Target, Track
from wms_resources.images.registry_login import Credentials

RELEASE: Final = "wms-model"
_PORT: Final = 8000
_LOOK_SECONDS: Final = 0.5
_BEYOND_SECONDS: Final = 60
"""What Helm has beyond our own limit; we give up first, because we can say why."""


@dataclass
class ClusterTarget(Target):
    """One environment on a cluster.

    Attributes:
        environment: `staging` or `production`; the chart's values-ENVIRONMENT.yaml is used where there is one.
        chart: folder of the chart.
        prefix: the namespace is `PREFIX-ENVIRONMENT`.
        values: files of further values, later ones over earlier ones.
        login: gives what the registry of the images asks for, fresh each time; None: it asks for nothing.
        api_key: what callers of the service must show; empty: what the values say.
        host: where callers reach the nodes; empty: the address of a node.
        helm: the command.
        kubectl: the command.
        context: of the kubeconfig; empty: its current one.
        ready_seconds: how long all pods of a release may take to be ready.
        patience: seconds that a trouble which hardly goes away by itself may last: an image that is not there.
        lifetime_hours: after which `tidy` may delete the namespace, when it has to be made; 0: never.
    """

    environment: str
    chart: Path
    prefix: str = "wms"
    values: Sequence[Path] = ()
    login: Callable[[], Credentials] | None = None
    api_key: str = field(default="", repr=False)
    host: str = ""
    helm: str = "helm"
    kubectl: str = "kubectl"
    context: str = ""
    ready_seconds: int = 180
    patience: float = 30
    lifetime_hours: float = 0

    def __post_init__(self) -> None:
        """Point the two commands at the namespace."""
        name = f"{self.prefix}-{self.environment}"
        self._kubectl = Kubectl(name, self.kubectl, self.context)
        self._helm = Helm(name, RELEASE, self.helm, self.context)
        self._namespace = Namespace(self._kubectl, self.lifetime_hours)
        self._holding: cluster_lease.Holding | None = None

    @property
    def url(self) -> str:
        """A node's address, and the port that every node has for the stable track."""
        service = self._kubectl.get("service", RELEASE)
        if service is None:
            raise DeploymentError(f"nothing is deployed in namespace {self._kubectl.namespace}: `wms deploy` first")
        return f"http://{self.host or self._kubectl.node()}:{service['spec']['ports'][0]['nodePort']}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the environment's Lease; the namespace is made when it is missing."""
        self._namespace.ensure()
        with cluster_lease.held(self._kubectl) as holding:
            self._holding = holding
            try:
                yield
            finally:
                self._holding = None

    def standing(self) -> Standing:
        """What Helm completed last, and how its pods fare."""
        stands = completed(self._helm.history())
        if stands is None:
            return Standing(None, None)
        values = self._helm.values(stands.number)
        found = {each["metadata"]["labels"]["track"]: each for each in self._kubectl.find("deployments", _labels())}
        stable, canary = (placed(track, values, found.get(track)) for track in (Track.STABLE, Track.CANARY))
        return Standing(stable, canary)

    def put(self, track: Track, package: Package, *, share: float = 0, trial: bool = False) -> None:
        """Have Helm replace a track's pods one after another."""
        if not package.image:
            raise DeploymentError(f"release {package.tag} has no image for the cluster: set WMS_IMAGE_REPOSITORY")
        with self._held():
            before = self._helm.settle(self._serves)
            wanted = {**tracks(self._values_of(before)), track.value: stated(track, package, share, trial)}
            self._replace(before, wanted, track)

    def remove(self, track: Track) -> None:
        """Have Helm take a track's pods away; the whole release when nothing stands on the other track."""
        with self._held():
            wanted = tracks(self._values_of(self._helm.settle(self._serves)))
            if not wanted[track]["enabled"]:
                return
            wanted[track] = NOTHING
            if any(each["enabled"] for each in wanted.values()):
                self._upgrade(wanted, seconds=0)
            else:
                self._helm.uninstall()
            self._see_gone(track)

    @contextmanager
    def instances(self, track: Track) -> Iterator[list[str]]:
        """Ways to the ready pods of a track, through the API server."""
        with ExitStack() as ways:
            ready = [pod["metadata"]["name"] for pod in current(self._kubectl, _labels(track)) if is_ready(pod)]
            yield [ways.enter_context(self._kubectl.forward(name, _PORT)) for name in sorted(ready)]

    def tidy(self, keep: Collection[str]) -> list[str]:
        """Remove a canary that no rollout watches any more and no trial is, and namespaces of ours that expired.

        `keep` changes nothing here: older releases are but names in Helm's history, which is bounded, and every image
        can be fetched again. The nodes clear their images away themselves.
        """
        removed = []
        with self._held():
            canary = self.standing().canary
            if canary and not canary.trial:
                self.remove(Track.CANARY)
                removed.append(f"canary {canary.package.tag}, left behind by a rollout")
        return removed + [f"namespace {name}, expired" for name in self._namespace.delete_expired()]

    def refresh_pull_secret(self) -> None:
        """Give the namespace a fresh login of the registry: pods that start later, on a new node, need it too."""
        self._grant_images(tracks(self._values_of(completed(self._helm.history()))))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The environment's lock: the caller's, or one for the block."""
        if self._holding is None:
            with self.lock():
                yield
        else:
            self._holding.require()
            yield

    def _serves(self) -> bool:
        """Whether pods of ours are ready on the stable track."""
        return any(is_ready(pod) for pod in current(self._kubectl, _labels(Track.STABLE)))

    def _values_of(self, revision: Revision | None) -> dict[str, Any]:
        return self._helm.values(revision.number) if revision else {}

    def _replace(self, before: Revision | None, wanted: dict[str, dict[str, Any]], track: Track) -> None:
        """Upgrade to what is wanted and see it ready; otherwise put back what was before, and say what was seen."""
        said = wanted[track]
        selector = f"{_labels(track)},wms/release={said['tag']}"
        watch = Watch(self._kubectl, f"{RELEASE}-{track}", selector, self.ready_seconds, self.patience)
        try:
            self._upgrade(wanted, self.ready_seconds + _BEYOND_SECONDS, watch.give_up)
            self._see_ready(track, said, watch)
        except DeploymentError as error:
            what = f"release {said['tag']} (model version {said['modelVersion']}) is not on the {track} track"
            failure = watch.error(what, error)
            try:
                self._put_back(before)
            except DeploymentError as another:
                raise type(failure)(f"{failure}. And what stood before is NOT back: {another}") from error
            raise failure from error

    def _upgrade(
        self, wanted: dict[str, dict[str, Any]], seconds: int, give_up: Callable[[], bool] = lambda: False
    ) -> None:
        own = self.chart / f"values-{self.environment}.yaml"
        files = [*([own] if own.exists() else []), *self.values]
        values: dict[str, Any] = {**wanted, "progressDeadlineSeconds": self.ready_seconds + _BEYOND_SECONDS}
        if self._grant_images(wanted):
            values["imagePullSecrets"] = [{"name": PULL_SECRET}]
        if self.api_key:
            revision = self._namespace.set_key(self.api_key)
            values["apiKey"] = {"existingSecret": KEY_SECRET, "key": KEY_ENTRY, "revision": revision}
        self._helm.upgrade(self.chart, files, values, seconds, give_up)

    def _see_ready(self, track: Track, said: dict[str, Any], watch: Watch) -> None:
        """Wait until all pods of a track are of the release, and ready."""
        while True:
            deployment = self._kubectl.get("deployment", watch.deployment)
            pods = current(self._kubectl, _labels(track))
            if deployment and runs(deployment, said) and all(is_ready(pod) and has_image(pod, said) for pod in pods):
                return
            if watch.give_up():
                raise DeploymentError("Helm took it for ready, and its pods are not")
            time.sleep(_LOOK_SECONDS)

    def _see_gone(self, track: Track) -> None:
        """Wait until all pods of a track are on their way out."""
        deadline = time.monotonic() + self.ready_seconds
        while current(self._kubectl, _labels(track)):
            if time.monotonic() > deadline:
                raise DeploymentError(f"pods of the {track} track do not go: `kubectl get pods` says more")
            time.sleep(_LOOK_SECONDS)

    def _put_back(self, before: Revision | None) -> None:
        """See to it that what stood before a failed upgrade stands there again; Helm has mostly done so."""
        now = self._helm.settle(self._serves)
        if before is None:
            self._helm.uninstall()
        elif now is None or self._helm.values(now.number) != self._helm.values(before.number):
            self._helm.rollback(before.number, self.ready_seconds)

    def _grant_images(self, wanted: dict[str, dict[str, Any]]) -> bool:
        """Let pods fetch the images that are wanted, where their registry asks for a login."""
        images = [each["image"] for each in wanted.values() if each["enabled"]]
        if self.login is None or not images:
            return False
        self._namespace.grant_images(images[0].partition("/")[0], self.login())
        return True


def _labels(track: Track | None = None) -> str:
    """Selector of what is ours in the namespace, or of a track's."""
    return f"app.kubernetes.io/instance={RELEASE}" + (f",track={track}" if track else "")
