"""How a process takes over the listening socket of the one that served before it, so that no connection is lost.

Connections that wait to be accepted belong to the listening socket, and the socket lives as long as any process has
it open. So the process that serves hands the socket itself to the next one, through a Unix socket called the door;
the door is handed over with it and stays where it is. It goes on accepting until it hears that the next one accepts
as well. When either of them dies on the way, the other one serves: the end of their connection says so.
"""

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from wms_ml.errors import DeploymentError

_DOOR: Final = "door"
_HERE_YOU_ARE: Final = b"h"
_I_SERVE: Final = b"s"
_ANSWER_SECONDS: Final = 10


class Handover:
    """A listening socket, come from the process before and ready for the next one.

    Attributes:
        public: the listening socket.
        given: whether the next process has taken over.
    """

    def __init__(self, public: socket.socket, door: socket.socket, before: socket.socket | None = None) -> None:
        """Hold the sockets; `before` leads to the process that still serves."""
        self.public = public
        self.given = False
        self._door = door
        self._before = before
        self._leave: Callable[[], None] = lambda: None

    def begin(self, leave: Callable[[], None]) -> None:
        """This process accepts now: tell the one before it, and let the next one in. Call it in the event loop.

        Args:
            leave: called once the next process accepts.
        """
        self._leave = leave
        if self._before:
            with suppress(ConnectionError):  # it died meanwhile
                self._before.sendall(_I_SERVE)
            self._before.close()
        asyncio.get_running_loop().add_reader(self._door, self._let_in)

    def end(self) -> None:
        """Let nobody in any more. Call it in the event loop, before the public socket is closed."""
        if self._door.fileno() != -1:
            asyncio.get_running_loop().remove_reader(self._door)
            self._door.close()

    def _let_in(self) -> None:
        try:
            asking, _ = self._door.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # gone again, or let in by another process that has the door
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._door)  # one at a time: two could both believe that they are the next
        asking.setblocking(False)
        with suppress(ConnectionError):  # it died: `_hear` hears it
            socket.send_fds(asking, [_HERE_YOU_ARE], [self.public.fileno(), self._door.fileno()])
        loop.add_reader(asking, self._hear, asking)

    def _hear(self, asking: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(asking)
        with asking, suppress(ConnectionError):
            self.given = asking.recv(1) == _I_SERVE
        if self.given:
            self.end()
            self._leave()
        elif self._door.fileno() != -1:
            loop.add_reader(self._door, self._let_in)


def take_over(folder: Path) -> Handover | None:
    """Ask the process that serves for its listening socket; None when there is no such process.

    Args:
        folder: where the processes meet; made when missing, for this user alone.

    Raises:
        DeploymentError: the folder is open to others, or the process does not answer.
    """
    _require_private(folder)
    while True:
        with _door_errors(folder), _address(folder) as address:
            before = socket.socket(socket.AF_UNIX)
            before.settimeout(_ANSWER_SECONDS)
            try:
                before.connect(address)
                _, received, _, _ = socket.recv_fds(before, 1, 2)
            except (FileNotFoundError, ConnectionRefusedError):
                before.close()
                return None
            except ConnectionResetError:
                received = []
        if len(received) == 2:
            public, door = (_own(descriptor) for descriptor in received)
            return Handover(public, door, before)
        before.close()  # it died or left as we asked: who is next?


def begin_afresh(folder: Path, public: socket.socket) -> Handover:
    """Make a door for a socket that listens already: only one process at a time can come this far.

    Raises:
        DeploymentError: the folder is open to others, or cannot hold a Unix socket.
    """
    _require_private(folder)
    with _door_errors(folder), _address(folder) as address:
        Path(address).unlink(missing_ok=True)  # of a process that was killed
        door = socket.socket(socket.AF_UNIX)
        door.bind(address)
        door.listen()
        door.setblocking(False)
    return Handover(public, door)


def _own(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    received = socket.socket(fileno=descriptor)
    received.setblocking(False)
    return received


def _require_private(folder: Path) -> None:
    with _door_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise DeploymentError(f"{folder} must be a folder of this user alone: delete it, it is made again")


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The door's address, by a short way: a Unix address has room for about 100 bytes, however deep the folder lies."""
    with tempfile.TemporaryDirectory(prefix="wms-") as place:
        short = Path(place) / "to"
        short.symlink_to(folder.resolve())
        yield str(short / _DOOR)


@contextmanager
def _door_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeploymentError(
            f"the service cannot be handed over in {folder} ({error}): `wms stop`, then deploy again; "
            "the folder must lie on a local disk"
        ) from error
