"""The laptop's deployment target: releases served by local processes."""

from pathlib import Path

from wms_ml.errors import DeploymentError
from wms_resources.deployment.targets import Package
from wms_resources.machine.instances import Role
from wms_resources.machine.machine_target import MachineTarget
from wms_resources.machine.service_processes import ProcessRunner


class ProcessTarget(MachineTarget):
    """One service of processes, which anybody may end and nobody starts again."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        """See `MachineTarget`."""
        self._processes = ProcessRunner(folder)
        super().__init__(folder, self._processes, host, port)

    def foreground(self, package: Package) -> tuple[list[str], dict[str, str]]:
        """The command that serves a release in the foreground, and its environment.

        Raises:
            DeploymentError: the service runs already.
        """
        placed = self.current()
        if placed:
            raise DeploymentError(
                f"version {placed.package.model_version} is served at {self.url} already: `wms stop` first"
            )
        self._processes.prepare(package)
        return self._processes.command(self._post(Role.STABLE, package, self._port.choose()))
