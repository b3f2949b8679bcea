"""The address that is served: taken from the system, or handed over by the process that serves there."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.handover import Handover, begin_afresh, take_over
from wms_ml.errors import DeploymentError


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at an address nobody listens at; port 0 takes a free one.

    Raises:
        DeploymentError: the address cannot be had.
    """
    with _port_errors(host, port):
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        public = socket.socket(family, kind, protocol)
        public.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        public.bind(address)
        public.listen()
    return public


def succeed(folder: Path, host: str, port: int) -> Handover:
    """The socket of the process that serves and meets us in `folder`; when none does, one of our own.

    Call it when everything else is ready: from here on callers may be sent to this process.

    Args:
        folder: private folder of this service.
        host: address to listen on.
        port: port to listen on; 0 for any.

    Raises:
        DeploymentError: the address cannot be had, or that process serves at another one.
    """
    handover = take_over(folder)
    if not handover:
        return begin_afresh(folder, listen(host, port))
    served = handover.public.getsockname()[:2]
    with _port_errors(host, port):
        wanted = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][:2]
    if wanted not in (served, (served[0], 0)):
        raise DeploymentError(f"port {served[1]} on {served[0]} is served, not port {port} on {host}: `wms stop` first")
    return handover


@contextmanager
def _port_errors(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise DeploymentError(f"port {port} on {host} {why}: choose another with --port or --host") from error
