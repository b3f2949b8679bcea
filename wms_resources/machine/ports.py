"""Ports on this machine: which one a service may listen on."""

import random
import socket
from pathlib import Path
from typing import Final

from wms_ml.errors import DeploymentError
from wms_ml.files import write_whole

FIRST_PORT: Final = 8000

_ASIDE: Final = range(20_000, 30_000)
"""Where ports are taken by nobody without being told to: systems hand out those from 32768 on."""


class KeptPort:
    """A service's public port: the one that people set, or one that is chosen once and kept in a file."""

    def __init__(self, host: str, wanted: int, file: Path) -> None:
        """Of a service that listens on `host`; `wanted` is 0 where it may be any."""
        self._host = host
        self._wanted = wanted
        self._file = file

    def known(self) -> int:
        """The port; 0 while none is chosen."""
        return self._wanted or (int(self._file.read_text()) if self._file.exists() else 0)

    def choose(self) -> int:
        """The port to listen on, for a service that does not run: nobody else listens there.

        Raises:
            DeploymentError: somebody listens on the one that was set, or the choice cannot be kept.
        """
        if self._wanted:
            return free_port(self._host, self._wanted)
        known = self.known()
        port = known if known and is_free(self._host, known) else first_free_port(self._host)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, str(port))
        except OSError as error:
            raise DeploymentError(f"{self._file} cannot be written ({error}): make room, or set WMS_HOME") from error
        return port


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on this port."""
    with socket.socket() as probe:
        # A port whose last connections are still closing is free; one that somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def first_free_port(host: str) -> int:
    """The first port from 8000 on that nobody listens on; any free one when a hundred are taken."""
    return next((port for port in range(FIRST_PORT, FIRST_PORT + 100) if is_free(host, port)), 0) or free_port(host, 0)


def port_aside(host: str) -> int:
    """A free port for something that may begin to listen there much later, and that no other service has chosen.

    Chosen at random: of two services whose canaries do not run yet, each finds the other's port free.
    """
    return next((port for port in random.sample(_ASIDE, 100) if is_free(host, port)), 0) or free_port(host, 0)


def free_port(host: str, wanted: int) -> int:
    """`wanted` when nobody listens there; any free port for 0.

    Raises:
        DeploymentError: somebody listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise DeploymentError(
                f"port {wanted} on {host} is taken ({error}): set WMS_SERVE_PORT to another one"
            ) from error
        return int(probe.getsockname()[1])
