"""One running service on this machine, and the seam behind which it is a process or a container.

What an instance was told to be travels with it, on its command line or in its labels: so what runs is read from the
machine, not from a file that a killed deployment could leave wrong.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from wms_resources.deployment.targets import Package

LOOPBACK: Final = "127.0.0.1"

STOP_SECONDS: Final = 25
"""Longer than a service takes to finish what is in flight, asked to end or taken over from: at most 19 s."""


class Role(StrEnum):
    """What an instance is there for."""

    STABLE = "stable"
    CANARY = "canary"
    REHEARSAL = "rehearsal"


@dataclass(frozen=True, slots=True)
class Post:
    """What an instance is told to be.

    Attributes:
        role: what it is there for.
        package: the release that it serves.
        host: address it listens on.
        port: port it listens on.
        share: of the pictures it is sent, 0 to 1.
        trial: whether it stays beside the stable one until somebody ends it.
        canary_port: where a stable one looks for its canary, on this machine.
    """

    role: Role
    package: Package
    host: str
    port: int
    share: float = 1
    trial: bool = False
    canary_port: int = 0

    @property
    def url(self) -> str:
        """Where it is asked from this machine."""
        return address(self.host, self.port)

    @property
    def settings(self) -> dict[str, str]:
        """The service's settings that follow from it."""
        if self.role is Role.STABLE:
            return {"WMS_SERVING_CANARY": f"http://{LOOPBACK}:{self.canary_port}"}
        return {"WMS_SERVING_SHARE": str(self.share)} if self.role is Role.CANARY else {}

    def encode(self, service: str) -> str:
        """As a label of an instance of this service."""
        return json.dumps({"service": service, **asdict(self)})

    @staticmethod
    def decode(label: str, service: str) -> "Post | None":
        """From a label; None when it is none of this service."""
        stated = json.loads(label) if label.startswith('{"service":') else {}
        if stated.pop("service", None) != service:
            return None
        role, package = Role(stated.pop("role")), Package(**stated.pop("package"))
        return Post(role=role, package=package, **stated)


def address(host: str, port: int) -> str:
    """Where something that listens on `host` is asked from this machine."""
    reached = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


class Instance(ABC):
    """A running one.

    Attributes:
        post: what it was told to be.
        name: how people find it, such as `process 4711`.
    """

    post: Post
    name: str

    @abstractmethod
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs. Asked of instances that we started."""

    @abstractmethod
    def announced(self) -> bool:
        """Whether it has said that it serves. Asked of instances that we started."""

    @abstractmethod
    def said(self) -> str:
        """The end of what it wrote. Asked of instances that we started."""

    @abstractmethod
    def end(self) -> None:
        """End it, gracefully first; well, too, when it has ended already."""

    @abstractmethod
    def keep_alive(self, wanted: bool) -> None:
        """Whether the machine starts it again when it dies, where the machine can do that at all."""


class Runner(ABC):
    """How the instances of one service are found and started.

    Every method raises DeploymentError, with the remedy, when the machine refuses.
    """

    @abstractmethod
    def prepare(self, package: Package) -> None:
        """Have everything here that starting this release needs."""

    @abstractmethod
    def start(self, post: Post) -> Instance:
        """Start an instance; it is not ready yet. Its release was prepared."""

    @abstractmethod
    def find(self) -> list[Instance]:
        """The instances that run, whoever started them, oldest first."""

    @abstractmethod
    def sweep(self) -> list[str]:
        """Remove what instances that ended left behind; what was removed, in words."""

    @abstractmethod
    def forget(self, keep: Collection[str]) -> list[str]:
        """Remove what is here of releases whose tags are not in `keep`, but of those that run; in words."""
