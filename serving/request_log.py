"""Which request was that? An id for each, and one line of JSON in the log, without anything that a caller wrote in it
unescaped: a line stays a line whatever a path holds.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOGGER: Final = logging.getLogger("wms.serving.requests")

_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""What a caller's id may be. It goes into logs, headers and file names."""
_PROBES: Final = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds by machines; worth a line only when they fail."""
_LONGEST_PATH: Final = 200

_CURRENT: Final[ContextVar[str]] = ContextVar("request_id", default="")


class RequestLog:
    """ASGI middleware; the outermost, so that every answer has its `X-Request-ID` and every request its line.

    The id of a request is `request.state.request_id` to those inside, and stands in whatever they log.
    """

    def __init__(self, app: ASGIApp, model_version: Callable[[], str] = lambda: "none") -> None:
        """`model_version` is asked at the end of each request."""
        self._app = app
        self._model_version = model_version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        _CURRENT.set(exchange.request_id)
        # Read now: whoever mounts or redirects inside may change the scope.
        method, path, client = scope["method"], scope["path"], (scope.get("client") or ("",))[0]
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            if exchange.status >= 400 or path not in _PROBES:
                seen = {"method": method, "path": path[:_LONGEST_PATH], **exchange.figures()}
                fields = seen | {"model_version": self._model_version(), "client": client}
                if "canary" in scope["state"]:
                    fields["canary"] = scope["state"]["canary"]
                level = logging.WARNING if exchange.status >= 500 else logging.INFO
                _LOGGER.log(level, "request", extra={"fields": fields})


class _Exchange:
    """One request and its answer, as they pass by."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = _request_id(scope)
        self.status = 500  # what the server makes of an application that gives no answer
        self._start = time.perf_counter()
        self._bytes = 0
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
            message = {**message, "headers": headers}
        await self._send(message)

    def figures(self) -> dict[str, Any]:
        """Status, milliseconds since the request's head came, and bytes of its body that were read."""
        elapsed = (time.perf_counter() - self._start) * 1000
        return {"status": self.status, "ms": round(elapsed, 1), "bytes": self._bytes}


def _request_id(scope: Scope) -> str:
    stated = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return stated[0].decode() if len(stated) == 1 and _ID.fullmatch(stated[0]) else uuid4().hex


class _Line(logging.Formatter):
    """A record as one line of JSON, ASCII only: every line break inside it is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if _CURRENT.get():
            line["request_id"] = _CURRENT.get()
        fields = getattr(record, "fields", None)
        line.update({"message": record.getMessage()} if fields is None else fields)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging() -> None:
    """Have this process log lines of JSON to standard error: ours from `info` on, libraries' from `warning` on.

    The server's own lines are among them only if it is started without a log configuration of its own.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("wms").setLevel(logging.INFO)
