"""Services of this machine to deploy to, as processes and as containers, with three releases each."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.containers import Image
from tests.onnx_model import write_release
from tests.rig import free_port
from tests.serving_process import ROOT
from tests.uploads import photo
from wms_resources.deployment.targets import Package
from wms_resources.machine.instances import Instance, Role
from wms_resources.machine.machine_target import MachineTarget
from wms_resources.machine.service_containers import ServiceContainer
from wms_resources.machine.service_processes import ServiceProcess

TAGS: Final = ("0000000000aa", "0000000000bb", "0000000000ff")


@dataclass(frozen=True)
class Bench:
    """A service: its target, and the releases that may be put on it.

    Attributes:
        old: version 7.
        new: version 8.
        damaged: version 9, whose model is not the one that it states: never ready.
    """

    kind: type[MachineTarget]
    folder: Path
    port: int
    old: Package
    new: Package
    damaged: Package

    @property
    def target(self) -> MachineTarget:
        """A new object each time: what it says is read from the machine."""
        return self.kind(self.folder, "127.0.0.1", self.port)  # type: ignore[call-arg,arg-type]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def found(self, *roles: Role) -> list[Instance]:
        """Instances that run."""
        return [each for each in self.target._runner.find() if not roles or each.post.role in roles]

    def deploying(self, call: str) -> "subprocess.Popen[bytes]":
        """Another process that does `call`, which knows `target`, `old`, `new`, `damaged` and `Track`."""
        code = (
            "from pathlib import Path; from wms_resources.deployment.targets import Package, Track\n"
            f"from {self.kind.__module__} import {self.kind.__name__} as Kind\n"
            f"target = Kind(Path({str(self.folder)!r}), '127.0.0.1', {self.port})\n"
            f"old, new, damaged = {self.old!r}, {self.new!r}, {self.damaged!r}\n"
            f"{call}\n"
        )
        return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)

    def ask(self) -> str:
        """Have a picture predicted; the model version that did."""
        wanted = {"Accept": "image/png"}
        files = {"image": photo()}
        answer = httpx.post(f"{self.url}/predict", files=files, headers=wanted, timeout=60, verify=False)
        time.sleep(0.01)  # who asks without any pause leaves the others no processor
        return str(answer.raise_for_status().headers["X-Model-Version"])


def until(happened: Callable[[], object]) -> None:
    """Wait for it, for a minute."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def hang(instance: Instance) -> None:
    """Have it stand still, listening."""
    _signal(instance, signal.SIGSTOP, "pause")


def kill(instance: Instance) -> None:
    """End it without a chance to tidy up."""
    _signal(instance, signal.SIGKILL, "kill")


def _signal(instance: Instance, number: signal.Signals, command: str) -> None:
    if isinstance(instance, ServiceProcess):
        instance.process.send_signal(number)
    elif isinstance(instance, ServiceContainer):
        instance._command.required(command, instance._id)


@contextmanager
def bench(folder: Path, kind: type[MachineTarget], images: dict[str, str]) -> Iterator[Bench]:
    """A service without instances, with its releases; nothing of it is left at the end."""
    made = Bench(kind, folder / "service", free_port(), *(_package(folder, tag, images) for tag in TAGS))
    try:
        yield made
    finally:
        made.target.stop()


def _package(folder: Path, tag: str, images: dict[str, str]) -> Package:
    release = folder / tag
    stated = write_release(release, tag=tag, **RELEASES[tag])
    return Package(tag, stated["model_version"], stated["digest"], str(release), images.get(tag, ""))


RELEASES: Final = {
    TAGS[0]: {"model_version": "7"},
    TAGS[1]: {"model_version": "8"},
    TAGS[2]: {"model_version": "9", "digest": f"sha256:{'0' * 64}"},
}
"""What each states of itself."""


@contextmanager
def images_of_releases(code: Image, folder: Path) -> Iterator[dict[str, str]]:
    """For each tag an image that holds its release, named by its content, on this machine alone."""
    images = {}
    for tag in TAGS:
        write_release(folder / tag, tag=tag, **RELEASES[tag])
        (folder / "Dockerfile").write_text(f"FROM {code.tag}\nCOPY {tag} /release\n")
        built = code.call("build", "--quiet", f"--tag={code.tag}-{tag}", str(folder))
        assert built.returncode == 0, built.stderr
        images[tag] = built.stdout.split()[-1]
    try:
        yield images
    finally:
        code.call("rmi", "--force", *(f"{code.tag}-{tag}" for tag in TAGS))
