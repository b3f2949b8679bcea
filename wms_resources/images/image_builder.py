"""docker or podman, which build the image of code, push it and run a command in it; what they say goes to people.

Both take the same commands, but for the few options that are told apart here.
"""

import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wms_ml.errors import DeploymentError
from wms_resources.images.container_login import logged_in
from wms_resources.images.image_registry import ImageRegistry, is_loopback

Say = Callable[[str], object]

_BUILDERS: Final = ("docker", "podman")
_ANSWER_SECONDS: Final = 20
_KEPT_LINES: Final = 15


@dataclass(frozen=True, slots=True)
class Builder:
    """One of them, which answers.

    Attributes:
        command: `docker` or `podman`.
        registry: where images are pushed to and fetched from.
        say: is given each line of what it says while it works.
    """

    command: str
    registry: ImageRegistry
    say: Say

    def build(self, project: Path, tag: str, base: str, arguments: Mapping[str, str]) -> None:
        """Build stage `code` of serving/Dockerfile on `base`, as `repository:tag` of this machine.

        Raises:
            DeploymentError: the base image is nowhere to be had, the disk is full, or a step of the build failed.
        """
        self._fetch(base)
        given = [f"--build-arg={name}={value}" for name, value in {"BASE_IMAGE": base, **arguments}.items()]
        file = f"--file={project / 'serving' / 'Dockerfile'}"
        name = f"--tag={self.registry.repository}:{tag}"
        self._run([*self._building(), *given, file, "--target=code", name, str(project)], _own())

    def push(self, tag: str) -> None:
        """Push `repository:tag`.

        Raises:
            DeploymentError: the registry refuses it or is away.
        """
        with logged_in(self.registry.host, self.registry.credentials) as shown:
            self._run(["push", *self._plain_http(), f"{self.registry.repository}:{tag}"], {**_own(), **shown})

    def output(self, digest: str, *command: str) -> str:
        """What a command says in a container of `repository@digest`, which has neither network nor rights.

        Raises:
            DeploymentError: it failed, or the image cannot be fetched.
        """
        bare = ("--rm", "--network=none", "--read-only", "--cap-drop=ALL", *self._plain_http())
        line = [self.command, "run", *bare, f"{self.registry.repository}@{digest}", *command]
        with logged_in(self.registry.host, self.registry.credentials) as shown:
            environment = {**_own(), **shown}
            done = subprocess.run(line, capture_output=True, text=True, errors="replace", env=environment, check=False)
        if done.returncode:
            raise DeploymentError(f"`{' '.join(line[:-1])} ...` failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def forget_others(self, tag: str) -> None:
        """Remove images of code from this machine, but for `tag`, whose layers the next build starts from."""
        listed = [self.command, "images", "--format={{.Repository}}:{{.Tag}}", self.registry.repository]
        found = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
        old = [name for name in found if f"{self.registry.repository}:code-" in name and not name.endswith(f":{tag}")]
        if old:
            subprocess.run([self.command, "rmi", *old], capture_output=True, check=False)  # those in use stay

    def _fetch(self, base: str) -> None:
        if not _succeeds([self.command, "image", "inspect", base]):
            try:
                self._run(["pull", base], _own())
            except DeploymentError as error:
                raise DeploymentError(
                    f"the base image {base} is neither on this machine nor can be fetched; correct WMS_IMAGE_BASE, "
                    f"or put it here with `{self.command} load`: {error}"
                ) from error

    def _building(self) -> list[str]:
        if self.command == "podman":
            return ["build", "--format=docker"]  # OCI's format has no health check
        if _succeeds([self.command, "buildx", "version"]):
            return ["buildx", "build", "--load", "--provenance=false", "--progress=plain"]
        return ["build"]

    def _plain_http(self) -> list[str]:
        """docker knows by itself that a loopback registry speaks plain HTTP."""
        return ["--tls-verify=false"] if self.command == "podman" and is_loopback(self.registry.host) else []

    def _run(self, arguments: list[str], environment: dict[str, str]) -> None:
        line = [self.command, *arguments]
        last: deque[str] = deque(maxlen=_KEPT_LINES)
        with (
            subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
            ) as process,
            ExitStack() as interrupted,
        ):
            interrupted.callback(process.terminate)
            for said in process.stdout or ():
                self.say(said.rstrip())
                last.append(said)
            interrupted.pop_all()
        if process.returncode:
            raise DeploymentError(_trouble(f"{self.command} {arguments[0]}", process.returncode, "".join(last).strip()))


def choose(wanted: str, registry: ImageRegistry, say: Say) -> Builder:
    """The builder that `wanted` (`auto`, `docker` or `podman`) means: `auto` is the first that answers.

    Raises:
        DeploymentError: it is not installed, or does not answer.
    """
    for command in _BUILDERS if wanted == "auto" else (wanted,):
        if shutil.which(command) and _succeeds([command, "ps", "--quiet"]):
            return Builder(command, registry, say)
    named = "neither docker nor podman is installed and answers" if wanted == "auto" else f"{wanted} does not answer"
    raise DeploymentError(
        f"{named}, so nobody can build the image of code (WMS_IMAGE_BUILDER={wanted}): start it, mind DOCKER_HOST, "
        "or deploy this code once from a machine that has one: the registry then has it"
    )


def _trouble(what: str, code: int, said: str) -> str:
    message = f"`{what}` failed with exit code {code}: {said}"
    if "no space left on device" in said.lower():
        return f"the builder's disk is full; `docker system prune` or `podman system prune` makes room. {message}"
    if "push" in what and any(word in said.lower() for word in ("denied", "unauthorized", "authentication required")):
        return f"the registry refuses the image; check WMS_REGISTRY_USER and WMS_REGISTRY_PASSWORD. {message}"
    return message


def _succeeds(line: list[str]) -> bool:
    try:
        return not subprocess.run(line, capture_output=True, timeout=_ANSWER_SECONDS, check=False).returncode
    except subprocess.TimeoutExpired:
        return False


def _own() -> dict[str, str]:
    """This process's environment; without buildx, only docker's classic builder is sure to be there."""
    return {**os.environ, "DOCKER_BUILDKIT": "0"}
