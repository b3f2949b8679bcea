"""The command `docker` or `podman`, with what it complains about in our words and what to do then."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wms_ml.errors import DeploymentError

_SECONDS: Final = 120
_NO_DAEMON: Final = ("docker daemon", "docker.sock", "connect to podman", "cannot connect to the docker")


@dataclass(frozen=True, slots=True)
class ContainerCommand:
    """One of the two; DOCKER_HOST says where its daemon is.

    Attributes:
        name: `docker` or `podman`, or a path to one.
    """

    name: str

    @property
    def is_podman(self) -> bool:
        """podman has options of its own."""
        return Path(self.name).name == "podman"

    def call(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run it, with `settings` added to its environment; whether it succeeded is the caller's to see.

        Raises:
            DeploymentError: it is not installed, or its daemon does not answer.
        """
        try:
            done = subprocess.run(
                [self.name, *arguments],
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except OSError as error:
            raise DeploymentError(
                f"{self.name} cannot be run ({error.strerror}): install it, or set WMS_DEPLOY_TARGET=process"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise DeploymentError(f"`{self.name} {arguments[0]}` did not end within {_SECONDS} s") from error
        if done.returncode and any(words in done.stderr.lower() for words in _NO_DAEMON):
            raise DeploymentError(
                f"{self.name} has no daemon that answers us: start it, join its group, or correct DOCKER_HOST "
                f"({os.environ.get('DOCKER_HOST', 'not set')}): {done.stderr.strip()}"
            )
        return done

    def required(self, *arguments: str, **settings: str) -> str:
        """Run it; its output.

        Raises:
            DeploymentError: it failed.
        """
        done = self.call(*arguments, **settings)
        if done.returncode:
            raise DeploymentError(
                f"`{self.name} {arguments[0]}` failed with exit code {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout
