"""The laptop's deployment target: a local process that serves one release, replaced without a gap.

A new release first comes up on a private port and has to prove itself there; the old process goes on serving
meanwhile. Then the new one joins on the public port, and only then the old one is asked to finish. Which
processes are ours is read from the process table, not from a file that a killed deployment could leave wrong.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dagster as dg
import httpx
import psutil
from filelock import FileLock

from wms_ml.errors import DeploymentError
from wms_ml.files import write_whole
from wms_resources.ports import first_free_port, free_port, is_free

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 15


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
        folder: its state: chosen port, logs.
        host: address to listen on.
        port: port to listen on; 0 chooses the first free one from 8000 on, once.
    """

    folder: str
    host: str = "127.0.0.1"
    port: int = 0

    def current(self) -> Deployment | None:
        """The service as it answers now; None when it does not run."""
        port = self._known_port()
        serving = [process for process, its_port in self._processes() if its_port == port]
        if port is None or len(serving) != 1:  # two: a deployment was killed while they changed over
            return None
        with httpx.Client(timeout=5) as http:
            stated = _version(http, self._url(port))
        return Deployment(self._url(port), stated["tag"], stated["model_version"], serving[0].pid) if stated else None

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
            _end([process for process, port in self._processes() if port != self._known_port()])
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
        found = [process for process, _ in self._processes()]
        _end(found)
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
        return self._command(release, self._public_port())

    def _rehearse(self, release: Path, prove: Callable[[str], None]) -> None:
        port = free_port(self.host, 0)
        process = self._start(release, port)
        try:
            self._wait_until_ready(process, port)
            prove(self._url(port))
        finally:
            _end([psutil.Process(process.pid)] if process.poll() is None else [])
            process.wait()

    def _take_over(self, release: Path, tag: str) -> Deployment:
        port = self._public_port()
        old = [found for found, _ in self._processes()]
        process = self._start(release, port)
        try:
            self._wait_until_up(process)
            _end(old)
            self._wait_until_ready(process, port)
            with httpx.Client(timeout=5) as http:
                stated = _version(http, self._url(port)) or {}
            if stated.get("tag") != tag:
                raise DeploymentError(f"{self._url(port)} serves {stated.get('tag')} after deploying {tag}")
        except DeploymentError:
            process.kill()
            process.wait()
            raise
        return Deployment(self._url(port), tag, stated["model_version"], process.pid)

    def _start(self, release: Path, port: int) -> "subprocess.Popen[bytes]":
        with self._log().open("wb") as log:
            return subprocess.Popen(
                self._command(release, port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_quiet_environment(),
            )

    def _command(self, release: Path, port: int) -> list[str]:
        command = [sys.executable, "-m", "serving", "--release", str(release), "--host", self.host]
        return [*command, "--port", str(port), "--reuse-port", "--label", self.folder]

    def _wait_until_up(self, process: "subprocess.Popen[bytes]") -> None:
        """Until the process says in its log that it listens."""
        deadline = time.monotonic() + _START_SECONDS
        while not any(line.startswith(b"serving ") for line in self._log().read_bytes().splitlines()):
            self._require_alive(process, deadline)
            time.sleep(0.05)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with httpx.Client(timeout=5) as http:
            while not _ready(http, self._url(port)):
                self._require_alive(process, deadline)
                time.sleep(0.05)

    def _require_alive(self, process: "subprocess.Popen[bytes]", deadline: float) -> None:
        if process.poll() is not None:
            said = self._log().read_text(errors="replace").strip()[-2000:]
            raise DeploymentError(f"the new service ended with exit code {process.returncode}: {said}")
        if time.monotonic() > deadline:
            raise DeploymentError(f"the new service was not ready after {_START_SECONDS} s: see {self._log()}")

    def _processes(self) -> list[tuple[psutil.Process, int]]:
        """Our serving processes with their ports, whoever started them."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if "serving" in line and "--label" in line and line[line.index("--label") + 1] == self.folder:
                found.append((process, int(line[line.index("--port") + 1])))
        return found

    def _known_port(self) -> int | None:
        kept = Path(self.folder) / "port"
        return self.port or (int(kept.read_text()) if kept.exists() else None)

    def _public_port(self) -> int:
        """The port to serve on: ours already, or one that nobody listens on."""
        known = self._known_port()
        if known and any(port == known for _, port in self._processes()):
            return known
        if self.port:
            return free_port(self.host, self.port)
        port = known if known and is_free(self.host, known) else first_free_port(self.host)
        write_whole(Path(self.folder) / "port", str(port))
        return port

    def _url(self, port: int) -> str:
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return f"http://{host}:{port}"

    def _log(self) -> Path:
        return Path(self.folder) / "service.log"


def _version(http: httpx.Client, url: str) -> dict[str, Any] | None:
    try:
        answer = http.get(f"{url}/version")
    except httpx.TransportError:
        return None
    if answer.status_code != 200:
        return None
    stated: dict[str, Any] = answer.json()
    return stated


def _ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_STOP_SECONDS)


def _quiet_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_PIPES")}
