"""The deployment target of a machine with docker or podman: releases served by containers of their images."""

from collections.abc import Callable, Mapping
from pathlib import Path

from wms_resources.images.registry_login import NOBODY, Credentials
from wms_resources.machine.container_command import ContainerCommand
from wms_resources.machine.machine_target import MachineTarget
from wms_resources.machine.service_containers import ContainerRunner


class ContainerTarget(MachineTarget):
    """One service of containers in the machine's own network; docker starts it again when it dies."""

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        command: str = "docker",
        settings: Mapping[str, str] | None = None,
        login: Callable[[], Credentials] = lambda: NOBODY,
    ) -> None:
        """See `MachineTarget`.

        Args:
            folder: another one than that of a service of processes: it is given to the containers' user.
            host: address to listen on.
            port: port to listen on; 0 chooses the first free one from 8000 on, once.
            command: `docker` or `podman`.
            settings: the service's own variables, WMS_SERVING_*.
            login: what the registry is shown when an image is pulled.
        """
        runner = ContainerRunner(folder, ContainerCommand(command), settings or {}, login)
        super().__init__(folder, runner, host, port)
