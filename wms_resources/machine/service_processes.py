"""Instances of a service as processes, found in the process table by what their command lines say."""

import os
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from wms_ml.errors import DeploymentError
from wms_resources.deployment.targets import Package
from wms_resources.machine.instances import STOP_SECONDS, Instance, Post, Role, Runner

_LOGS: Final = {Role.STABLE: "service.log", Role.CANARY: "canary.log", Role.REHEARSAL: "rehearsal.log"}


class ServiceProcess(Instance):
    """A process; `started` and `log` are known of those that we started."""

    def __init__(
        self, process: psutil.Process, post: Post, started: subprocess.Popen[bytes] | None = None, log: Path = Path()
    ) -> None:
        self.post = post
        self.name = f"process {process.pid}"
        self.process = process
        self._started = started
        self._log = log

    def exit_code(self) -> int | None:
        """See `Instance`."""
        return self._started.poll() if self._started else None

    def announced(self) -> bool:
        """See `Instance`."""
        return any(line.startswith(b"serving ") for line in self._log.read_bytes().splitlines())

    def said(self) -> str:
        """See `Instance`."""
        return self._log.read_text(errors="replace").strip()[-2000:]

    def end(self) -> None:
        """See `Instance`."""
        for ask in (self.process.terminate, self.process.kill):
            with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                ask()
                self.process.wait(STOP_SECONDS)
                break
        if self._started:
            self._started.wait()

    def keep_alive(self, wanted: bool) -> None:
        """Nobody starts a process again."""


class ProcessRunner(Runner):
    """Processes that serve release folders; their logs lie in the service's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, package: Package) -> None:
        """See `Runner`."""
        if not package.folder or not Path(package.folder, "release.json").is_file():
            raise DeploymentError(
                f"release {package.tag} lies in no folder here ({package.folder or 'none is named'}): "
                "deploy its version again, which makes it"
            )

    def start(self, post: Post) -> Instance:
        """See `Runner`. The process has a log of its own: the one before it keeps the old log."""
        line, environment = self.command(post)
        log = self._folder / _LOGS[post.role]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if log.exists():
                log.replace(log.with_suffix(".before.log"))
            with log.open("xb") as file:
                started = subprocess.Popen(
                    line, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, env=environment
                )
        except OSError as error:
            raise DeploymentError(f"the service cannot be started with its log in {log}: {error}") from error
        return ServiceProcess(psutil.Process(started.pid), post, started, log)

    def command(self, post: Post) -> tuple[list[str], dict[str, str]]:
        """The command line of an instance, and its environment."""
        line = [sys.executable, "-m", "serving", "--release", post.package.folder]
        line += ["--host", post.host, "--port", str(post.port), "--label", post.encode(str(self._folder))]
        if post.role is Role.STABLE:
            line += ["--handover", str(self._folder / "handover")]
        ours = ("DAGSTER_PIPES", "WMS_SERVING_CANARY", "WMS_SERVING_SHARE")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return line, {**inherited, **post.settings}

    def find(self) -> list[Instance]:
        """See `Runner`."""
        found = []
        for process in psutil.process_iter(["cmdline", "create_time"]):
            line = process.info["cmdline"] or []
            label = line[line.index("--label") + 1] if "serving" in line and "--label" in line[:-1] else ""
            if post := Post.decode(label, str(self._folder)):
                found.append((process.info["create_time"], process.pid, ServiceProcess(process, post)))
        return [each for _, _, each in sorted(found, key=lambda timed: timed[:2])]

    def sweep(self) -> list[str]:
        """See `Runner`: a process leaves only its log."""
        return []

    def forget(self, keep: Collection[str]) -> list[str]:
        """See `Runner`: release folders are not the processes' own."""
        return []
