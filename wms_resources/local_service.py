"""The laptop's deployment target: a local process that serves one release, replaced without a gap.

A new release first comes up on a private port and has to prove itself there; the old process goes on serving
meanwhile. Then a new process loads it, takes over the listening socket, and the old one finishes what it has in
flight: `serving/handover.py` says how, and that the two settle it between them when a deployment is killed.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
from filelock import FileLock

from wms_ml.errors import DeploymentError
from wms_ml.files import write_whole
from wms_resources.ports import first_free_port, free_port, is_free
from wms_resources.service_processes import STOP_SECONDS, Found, Started, command, end, find, still_there


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running service.

    Attributes:
        url: where it answers.
        tag: release it serves.
        model_version: registry version it serves.
        pid: its process.
    """

    url: str
    tag: str
    model_version: str
    pid: int


class LocalService(dg.ConfigurableResource):
    """One service on this machine.

    Attributes:
        folder: its state: chosen port, logs, where its processes meet.
        host: address to listen on.
        port: port to listen on; 0 chooses the first free one from 8000 on, once.
    """

    folder: str
    host: str = "127.0.0.1"
    port: int = 0

    def current(self) -> Deployment | None:
        """The service as it answers now; None when it does not run."""
        serving = self._public()
        if not serving:
            return None
        url = self._url(serving[0].port)
        stated = _version(url)
        return Deployment(url, stated["tag"], stated["model_version"], serving[0].process.pid) if stated else None

    def deploy(self, release: Path, prove: Callable[[str], None]) -> Deployment:
        """Replace what is served by `release`, or leave it as it is.

        Args:
            release: folder of the release.
            prove: called with the address of the new service; raises when it does not do what it should.

        Raises:
            DeploymentError: the new release does not start or does not prove itself.
        """
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        with FileLock(Path(self.folder) / ".lock"):
            tag = json.loads((release / "release.json").read_text())["tag"]
            self._settle()
            current = self.current()
            if current and current.tag == tag:
                prove(current.url)
                return current
            self._rehearse(release, prove)
            return self._take_over(release, tag)

    def stop(self) -> int:
        """Stop every process of this service; gracefully first.

        Returns:
            how many were stopped.
        """
        found = find(self.folder)
        end([each.process for each in found])
        return len(found)

    def foreground(self, release: Path) -> list[str]:
        """The command that serves a release in the foreground.

        Raises:
            DeploymentError: the service runs already.
        """
        current = self.current()
        if current:
            raise DeploymentError(
                f"version {current.model_version} is served at {current.url} already: `wms stop` first"
            )
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        return command(self.folder, release, self.host, self._public_port(), public=True)

    def _settle(self) -> None:
        """Come down to one process at most, which serves at our address, whatever a killed deployment left."""
        end([each.process for each in find(self.folder) if not self._is_public(each)])
        deadline = time.monotonic() + STOP_SECONDS
        while len(self._public()) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        end([each.process for each in self._public()[1:]])  # the oldest is not leaving, so no other has taken over

    def _rehearse(self, release: Path, prove: Callable[[str], None]) -> None:
        port = free_port(self.host, 0)
        line = command(self.folder, release, self.host, port, public=False)
        rehearsal = Started(line, Path(self.folder) / "rehearsal.log")
        try:
            rehearsal.wait_until(lambda: _ready(self._url(port)))
            prove(self._url(port))
        finally:
            rehearsal.end()

    def _take_over(self, release: Path, tag: str) -> Deployment:
        port = self._public_port()
        old = [each.process for each in self._public()]
        started = Started(
            command(self.folder, release, self.host, port, public=True), Path(self.folder) / "service.log"
        )
        try:
            started.wait_until(started.announced)
        except DeploymentError:
            started.end()
            raise
        end(still_there(old))
        stated = _version(self._url(port)) or {}
        if stated.get("tag") != tag:
            raise DeploymentError(f"{self._url(port)} serves {stated.get('tag')} after deploying {tag}")
        return Deployment(self._url(port), tag, stated["model_version"], started.pid)

    def _public(self) -> list[Found]:
        """Our processes at our address, oldest first; several only while one takes over from another."""
        return [each for each in find(self.folder) if self._is_public(each)]

    def _is_public(self, found: Found) -> bool:
        return found.public and (found.host, found.port) == (self.host, self._known_port())

    def _known_port(self) -> int | None:
        kept = Path(self.folder) / "port"
        return self.port or (int(kept.read_text()) if kept.exists() else None)

    def _public_port(self) -> int:
        """The port to serve on: ours already, or one that nobody listens on."""
        known = self._known_port()
        if known and self._public():
            return known
        if self.port:
            return free_port(self.host, self.port)
        port = known if known and is_free(self.host, known) else first_free_port(self.host)
        write_whole(Path(self.folder) / "port", str(port))
        return port

    def _url(self, port: int) -> str:
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return f"http://{host}:{port}"


def _version(url: str) -> dict[str, Any] | None:
    """What is served there; None when nothing is, or not yet."""
    try:
        answer = httpx.get(f"{url}/version", timeout=5)
    except httpx.TransportError:
        return None
    if answer.status_code != 200:
        return None
    stated: dict[str, Any] = answer.json()
    return stated


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
