"""`python -m serving --release DIR`: serve one release until asked to stop."""

import argparse
import errno
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import uvicorn

from serving.app import create_app
from wms_ml.errors import DeploymentError, WmsError

_FINISH_SECONDS: Final = 12
"""How long requests in flight may take after SIGTERM; shorter than operators wait before they kill."""


class _Server(uvicorn.Server):
    """Says in one line that connections are accepted now."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self._announcement}\n")
        sys.stdout.flush()


def main() -> None:
    """Serve; exit 0 when asked to stop, 1 when it cannot start."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a malformed form is its sender's business
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    options = _options()
    try:
        _serve(options)
    except WmsError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _leave(*_: object) -> NoReturn:
    """uvicorn catches the signal, finishes what is in flight, and raises it again: this is then the end."""
    sys.exit(0)


def _serve(options: argparse.Namespace) -> None:
    # Bound first, so that a taken port is known at once; listening last, so that nobody is kept waiting or,
    # beside a process that shares the port, sent to one that has no model yet.
    bound = _bind(options.host, options.port, options.reuse_port)
    app = create_app(options.release)
    with _port_errors(options.host, options.port):
        bound.listen()
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=_FINISH_SECONDS
    )
    host = f"[{options.host}]" if ":" in options.host else options.host
    served = f"serving {app.state.release.model_name} version {app.state.release.model_version}"
    _Server(config, f"{served} at http://{host}:{bound.getsockname()[1]}").run(sockets=[bound])


def _bind(host: str, port: int, reuse_port: bool) -> socket.socket:
    """A bound socket; with `reuse_port` beside another process that serves there.

    Raises:
        DeploymentError: the address cannot be had.
    """
    with _port_errors(host, port):
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    return bound


@contextmanager
def _port_errors(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise DeploymentError(f"port {port} on {host} {why}: choose another with --port or --host") from error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve one release of the model.")
    parser.add_argument("--release", type=Path, required=True, metavar="DIR", help="release folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--reuse-port", action="store_true", help="share the port with a process to be replaced")
    parser.add_argument("--label", help="not used: lets an operator find this process")
    return parser.parse_args()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


if __name__ == "__main__":
    main()
