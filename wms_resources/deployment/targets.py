"""Where releases are put in front of people: one small interface for processes, containers and Kubernetes.

A target has two tracks. Callers talk to the stable one. The canary takes a share of their pictures off it, for a
while, and where it fails the stable track answers them itself (`serving/canary.py`). What stands on the tracks is read
from the target, never from a note about it: so whoever comes after a killed deployment sees what really is there.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum


class Track(StrEnum):
    """One of the two places of a target."""

    STABLE = "stable"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Package:
    """A release as a target runs it.

    Attributes:
        tag: name of the release as a whole, code included.
        model_version: registry version of its model.
        digest: content hash of the model file, `sha256:...`.
        folder: release folder on this machine, which processes serve; empty where only the image is known.
        image: `repository@sha256:...`, which containers and pods run; empty where there is none.
    """

    tag: str
    model_version: str
    digest: str
    folder: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """What stands on a track.

    Attributes:
        package: the release.
        share: of the pictures it is sent, 0 to 1; 1 on the stable track.
        trial: whether it stays beside the stable one until somebody ends it: an A/B test.
        ready: whether all its instances are.
        instances: how many there are.
    """

    package: Package
    share: float
    trial: bool
    ready: bool
    instances: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on both tracks; None where nothing does."""

    stable: Placed | None
    canary: Placed | None

    def on(self, track: Track) -> Placed | None:
        """What stands on this track."""
        return self.stable if track is Track.STABLE else self.canary


class Target(ABC):
    """One environment (`staging`, `production`) of one kind of target.

    Every method raises DeploymentError, with what was seen and the remedy, when the target does not answer or refuses
    us; what stood there before then stands there still.
    """

    @property
    @abstractmethod
    def url(self) -> str:
        """Where callers reach the stable track."""

    @abstractmethod
    def lock(self) -> AbstractContextManager[None]:
        """Hold this environment: one deployment at a time, of everybody's.

        Raises:
            DeploymentError: another one runs; the message says whose. One that died holds nothing.
        """

    @abstractmethod
    def standing(self) -> Standing:
        """What stands there now."""

    @abstractmethod
    def put(self, track: Track, package: Package, *, share: float = 0, trial: bool = False) -> None:
        """Replace what stands on a track without a gap, and return when every instance is ready.

        Putting what stands there already changes nothing. `share` and `trial` are the canary's.

        Raises:
            DeploymentError: it did not become ready. The stable track then serves what it served before.
        """

    @abstractmethod
    def remove(self, track: Track) -> None:
        """Take down what stands on a track; nothing there is well, too."""

    @abstractmethod
    def instances(self, track: Track) -> AbstractContextManager[list[str]]:
        """Addresses of the single instances (processes, pods) of a track, reachable during the block."""

    @abstractmethod
    def tidy(self, keep: Collection[str]) -> list[str]:
        """Remove what older deployments left behind on this target.

        Args:
            keep: tags of releases that somebody may want to go back to.

        Returns:
            what was removed, in words.
        """
