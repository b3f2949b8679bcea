"""Instances of a service as containers, found by their labels.

They share the machine's network, and those that follow one another also a folder, through which the listening socket
goes from one to the next as it does between processes. They may write nowhere else and have no rights.
"""

import json
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.targets import Package
from wms_resources.images.registry_login import Credentials
from wms_resources.machine.container_command import ContainerCommand
from wms_resources.machine.container_images import forget, pull
from wms_resources.machine.instances import STOP_SECONDS, Instance, Post, Role, Runner

_SERVICE: Final = "wms.service"
_POST: Final = "wms.post"
_BARE: Final = (
    *("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    "--no-healthcheck",  # the image's own asks at a port that in the machine's network is somebody else's
    "--stop-signal=SIGINT",  # Python hears it from its start; the first process of a container is deaf to others
)
_RUNNING: Final = ("running", "restarting", "paused", "stopping")
_IMAGE_USER: Final = 10001
"""Of serving/Dockerfile; used where we may give it what it needs."""
_NOT_RUNNABLE: Final = (126, 127)
_PREDICTION_LOG: Final = "WMS_SERVING_PREDICTION_LOG"
_PREDICTIONS: Final = "/predictions"


class ServiceContainer(Instance):
    """A container."""

    def __init__(self, command: ContainerCommand, identity: str, post: Post) -> None:
        self.post = post
        self.name = f"container {identity[:12]}"
        self._command = command
        self._id = identity

    def exit_code(self) -> int | None:
        """See `Instance`; one that was started again has ended, too."""
        (found,) = json.loads(self._command.required("inspect", self._id))
        alive = found["State"]["Status"] == "running" and not found["RestartCount"]
        return None if alive else int(found["State"]["ExitCode"])

    def announced(self) -> bool:
        """See `Instance`."""
        return any(line.startswith("serving ") for line in self._command.required("logs", self._id).splitlines())

    def said(self) -> str:
        """See `Instance`."""
        done = self._command.call("logs", "--tail=50", self._id)
        return (done.stdout + done.stderr).strip()[-2000:]

    def end(self) -> None:
        """See `Instance`; nothing is left of it."""
        self._command.call("stop", f"--time={STOP_SECONDS}", self._id)
        remove(self._command, self._id)

    def keep_alive(self, wanted: bool) -> None:
        """See `Instance`; podman's stable containers are as they were started."""
        if not self._command.is_podman:
            self._command.required("update", f"--restart={'unless-stopped' if wanted else 'no'}", self._id)


class ContainerRunner(Runner):
    """Containers of images that hold a release at /release."""

    def __init__(
        self, folder: Path, command: ContainerCommand, settings: Mapping[str, str], login: Callable[[], Credentials]
    ) -> None:
        """Of the service in `folder`.

        Args:
            folder: its state; containers that serve callers are given the folder `handover` in it.
            command: what runs them.
            settings: the service's own variables, WMS_SERVING_*.
            login: what the registry is shown when an image is pulled.
        """
        self._folder = folder
        self._command = command
        self._settings = settings
        self._login = login

    def prepare(self, package: Package) -> None:
        """See `Runner`."""
        if not package.image:
            raise DeploymentError(f"release {package.tag} has no image: set WMS_IMAGE_REPOSITORY, and deploy again")
        pull(self._command, package.image, self._login)

    def start(self, post: Post) -> Instance:
        """See `Runner`."""
        name = f"wms-{post.role}-{post.package.tag}-{secrets.token_hex(3)}"
        place = [f"--label={_SERVICE}={self._folder}", f"--label={_POST}={post.encode(str(self._folder))}"]
        place += ["--network=host", *self._mounts(post.role), *self._user(), *self._restart(post.role)]
        settings = {**self._settings, **post.settings}
        if _PREDICTION_LOG in settings:
            settings[_PREDICTION_LOG] = _PREDICTIONS
        given = [f"--env={each}" for each in settings]  # by name alone: command lines are for everybody's eyes
        line = ["run", "--detach", f"--name={name}", *_BARE, *place, *given, post.package.image, *_command(post)]
        done = self._command.call(*line, **settings)
        if done.returncode:
            remove(self._command, name)
            kind = ReleaseError if done.returncode in _NOT_RUNNABLE else DeploymentError
            raise kind(f"no container of {post.package.image} could be started: {done.stderr.strip()}")
        return ServiceContainer(self._command, done.stdout.strip(), post)

    def find(self) -> list[Instance]:
        """See `Runner`."""
        found = []
        for each in self._ours():
            post = Post.decode(each["Config"]["Labels"][_POST], str(self._folder))
            if post and each["State"]["Status"] in _RUNNING:
                found.append((each["Created"], ServiceContainer(self._command, each["Id"], post)))
        return [container for _, container in sorted(found, key=lambda timed: timed[0])]

    def sweep(self) -> list[str]:
        """See `Runner`: containers that ended."""
        ended = [each["Id"] for each in self._ours() if each["State"]["Status"] not in _RUNNING]
        remove(self._command, *ended)
        return [f"container {each[:12]}, which had ended" for each in ended]

    def forget(self, keep: Collection[str]) -> list[str]:
        """See `Runner`: images, of the repositories whose images run."""
        repositories = {each.post.package.image.rpartition("@")[0] for each in self.find()} - {""}
        return [each for repository in sorted(repositories) for each in forget(self._command, repository, keep)]

    def _ours(self) -> list[dict[str, Any]]:
        """What is known of each of our containers, running or not."""
        wanted = f"--filter=label={_SERVICE}={self._folder}"
        identities = self._command.required("ps", "--all", "--quiet", "--no-trunc", wanted).split()
        if not identities:
            return []
        done = self._command.call("inspect", *identities)  # fails for one that went meanwhile, and tells of the others
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return found

    def _restart(self, role: Role) -> list[str]:
        """Only what callers rely on comes back; under podman not after it has left by itself, or it would take over."""
        if role is not Role.STABLE:
            return []
        return ["--restart=on-failure" if self._command.is_podman else "--restart=unless-stopped"]

    def _user(self) -> list[str]:
        """Whoever owns the folders that it is given."""
        if not os.geteuid():
            return [f"--user={_IMAGE_USER}:{_IMAGE_USER}"]
        keep = ["--userns=keep-id"] if self._command.is_podman else []
        return [*keep, f"--user={os.geteuid()}:{os.getegid()}"]

    def _mounts(self, role: Role) -> list[str]:
        mounts = {self._folder / "handover": "/handover"} if role is Role.STABLE else {}
        if log := self._settings.get(_PREDICTION_LOG):
            mounts[Path(log)] = _PREDICTIONS
        for folder in mounts:
            _give(folder)
        return [f"--volume={folder.resolve()}:{place}" for folder, place in mounts.items()]


def remove(command: ContainerCommand, *identities: str) -> None:
    """Remove containers, running or not; those that are gone already are well, too."""
    if identities:
        command.call("rm", "--force", "--volumes", *identities)


def _command(post: Post) -> list[str]:
    line = ["python", "-m", "serving", "--release", "/release", "--host", post.host, "--port", str(post.port)]
    return [*line, "--handover", "/handover"] if post.role is Role.STABLE else line


def _give(folder: Path) -> None:
    """Make a folder that is for the container's user alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.geteuid():
            os.chown(folder, _IMAGE_USER, _IMAGE_USER)
    except OSError as error:
        raise DeploymentError(f"{folder} cannot be given to the service ({error}): make it, or make room") from error
