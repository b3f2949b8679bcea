"""A line between a client and a server on this machine: it counts what goes up, and can stop in the middle."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_CHUNK: Final = 1 << 16


class Wire:
    """A running one.

    Attributes:
        host: `127.0.0.1:port` to speak to instead of the server.
        sent: bytes that clients have sent so far.
        stalled: is set once `limit` is reached; nothing more comes through then.
    """

    def __init__(self, server: str, limit: float = float("inf")) -> None:
        self.sent = 0
        self.stalled = threading.Event()
        self._limit = limit
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Break every connection, and accept no more."""
        for each in (self._listening, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        host, _, port = self._server.rpartition(":")
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection((host, int(port)))
                self._open += [client, server]
                threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, upwards: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if upwards:
                    self.sent += len(data)
                    if self.sent > self._limit:
                        self.stalled.set()
                        return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def wired(server: str, limit: float = float("inf")) -> Iterator[Wire]:
    """A line to `server`, `host:port`, that stops after `limit` bytes from clients."""
    wire = Wire(server, limit)
    try:
        yield wire
    finally:
        wire.close()
