"""Ports on this machine: which one a service may listen on."""

import socket
from typing import Final

from wms_ml.errors import DeploymentError

FIRST_PORT: Final = 8000


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
