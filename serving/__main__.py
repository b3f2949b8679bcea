"""`python -m serving --release DIR`: serve one release until asked to stop."""

import argparse
import logging
import signal
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NoReturn

import uvicorn

from serving.app import create_app
from serving.listening import listen, succeed
from serving.request_log import configure_logging
from serving.server import Server
from serving.service import Service
from serving.settings import load_settings
from wms_ml.errors import WmsError

_LOGGER: Final = logging.getLogger("wms.serving")
_FINISH_SECONDS: Final = 12
"""How long requests in flight may take after SIGTERM; shorter than operators wait before they kill."""


def main() -> None:
    """Serve; exit 0 when asked to stop, 1 when it cannot start."""
    configure_logging()
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
    settings = load_settings()
    service = Service(options.release, settings)
    if options.handover:  # everything else comes first: until then another process serves there
        service.load()
        handover = succeed(options.handover, options.host, options.port)
        public = handover.public
    else:
        handover = None
        public = listen(options.host, options.port)
    if not settings.api_key.get_secret_value() and not ip_address(public.getsockname()[0]).is_loopback:
        _LOGGER.warning("anybody who reaches %s may ask for predictions: WMS_SERVING_API_KEY sets a key", options.host)
    config = uvicorn.Config(
        create_app(service),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )
    server = Server(config, service, _url(options.host, public.getsockname()[1]), handover)
    try:
        server.run(sockets=[public])
        server.require_loaded()
    finally:
        service.close()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve one release of the model.")
    parser.add_argument("--release", type=Path, required=True, metavar="DIR", help="release folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="0 picks a free one (default: %(default)s)")
    parser.add_argument(
        "--handover", type=Path, metavar="DIR", help="private folder: take over from, and later give way to, a process"
    )
    parser.add_argument("--label", help="not used: lets an operator find this process")
    return parser.parse_args()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


if __name__ == "__main__":
    main()
