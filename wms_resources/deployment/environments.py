"""The environments of a set-up, staging and production, each on the kind of target that the settings chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wms_ml.errors import DeploymentError
from wms_resources.cluster.cluster_target import ClusterTarget
from wms_resources.deployment.targets import Target
from wms_resources.images.images import Images, ReleaseImage
from wms_resources.machine.container_target import ContainerTarget
from wms_resources.machine.machine_target import MachineTarget
from wms_resources.machine.process_target import ProcessTarget

PRODUCTION: Final = "production"
NAMES: Final = ("staging", PRODUCTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments:
    """Where releases go.

    Attributes:
        kind: `process`, `container` or `k3s`.
        default: environment of whoever names none.
        folder: below it lies the state of targets on this machine.
        host: address that services on this machine listen on.
        port: production's port on this machine; 0 chooses one. Staging always has one of its own.
        images: what makes images; None for processes, which need none.
        chart: folder of the Helm chart.
        values: files of chart values, later ones over earlier ones.
        prefix: of the namespaces' names.
        cluster_host: where callers reach the cluster's nodes; empty: the address of one.
        helm: the command.
        kubectl: the command.
        context: of the kubeconfig; empty: the current one.
        api_key: what callers of the service must show; empty: nothing.
        service: the service's own variables, WMS_SERVING_*, for containers; processes inherit them.
    """

    kind: str
    default: str
    folder: Path
    host: str
    port: int
    images: Images | None
    chart: Path
    values: Sequence[Path]
    prefix: str
    cluster_host: str
    helm: str
    kubectl: str
    context: str
    api_key: str = field(repr=False)
    service: Mapping[str, str] = field(repr=False)

    def open(self, name: str) -> Target:
        """The target of an environment.

        Raises:
            DeploymentError: there is no such environment.
        """
        if name not in NAMES:
            raise DeploymentError(f"no environment '{name}'; there are {', '.join(NAMES)}")
        return self._cluster(name) if self.kind == "k3s" else self.machine(name)

    def machine(self, name: str) -> MachineTarget:
        """The target of an environment on this machine.

        Raises:
            DeploymentError: environments are not on this machine.
        """
        if self.kind == "k3s":
            raise DeploymentError(f"{name} is on a cluster (WMS_DEPLOY_TARGET=k3s), not on this machine")
        images = self.images
        if self.kind == "container" and images:
            command = "podman" if images.builder == "podman" else "docker"
            return ContainerTarget(*self._place("containers", name), command, self.service, images.login)
        return self.process(name)

    def process(self, name: str) -> ProcessTarget:
        """The target of an environment as processes of this machine, whatever the settings chose."""
        return ProcessTarget(*self._place("service", name))

    def image_of(self, release: Path) -> ReleaseImage | None:
        """The image of a release folder, made where it is missing; None where none is needed.

        Raises:
            DeploymentError: the registry or the builder fails or refuses us.
        """
        return self.images.make(release) if self.images else None

    def refresh_pull_secrets(self) -> bool:
        """Give the cluster's environments in use a fresh login of the registry; False where there is no cluster.

        Raises:
            DeploymentError: the cluster or AWS is away or refuses us.
        """
        if self.kind != "k3s":
            return False
        for name in NAMES:
            target = self._cluster(name)
            if target.standing().stable:
                target.refresh_pull_secret()
        return True

    def _cluster(self, name: str) -> ClusterTarget:
        return ClusterTarget(
            name,
            self.chart,
            prefix=self.prefix,
            values=self.values,
            login=self.images.login if self.images else None,
            api_key=self.api_key,
            host=self.cluster_host,
            helm=self.helm,
            kubectl=self.kubectl,
            context=self.context,
        )

    def _place(self, folder: str, name: str) -> tuple[Path, str, int]:
        if name == PRODUCTION:
            return self.folder / folder, self.host, self.port
        return self.folder / f"{folder}-{name}", self.host, 0
