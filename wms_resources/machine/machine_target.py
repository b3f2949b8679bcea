"""The deployment targets on this machine: one service of a few instances, replaced without a gap.

A new release first comes up on a private port and has to say there that it is what it should be; the old instance
goes on serving meanwhile. Then a new instance loads it, takes over the listening socket, and the old one finishes what
it has in flight: `serving/handover.py` says how, and that the two settle it between them when a deployment is killed.
A canary listens on a port of its own, where the stable instance looks for it. Whether an instance is a process or a
container is its runner's business.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

from wms_ml.errors import DeploymentError
from wms_resources.deployment.service_calls import is_ready
from wms_resources.deployment.standings import is_same
from wms_resources.deployment.targets import Package, Placed, Standing, Target, Track
from wms_resources.machine.deployment_lock import deployment_lock
from wms_resources.machine.instances import LOOPBACK, STOP_SECONDS, Instance, Post, Role, Runner, address
from wms_resources.machine.ports import KeptPort, free_port, is_free, port_aside
from wms_resources.machine.service_start import is_hung, require_release, serves, wait_until

_PAUSE_SECONDS: Final = 0.1
_ROLES: Final = {Track.STABLE: Role.STABLE, Track.CANARY: Role.CANARY}


class MachineTarget(Target):
    """One environment of this machine."""

    def __init__(self, folder: Path, runner: Runner, host: str, port: int) -> None:
        """A service with its state in `folder`.

        Args:
            folder: chosen port, logs, lock, and where its instances meet; its path names the service.
            runner: starts and finds its instances.
            host: address to listen on.
            port: port to listen on; 0 chooses the first free one from 8000 on, once.
        """
        self._folder = folder
        self._runner = runner
        self._host = host
        self._port = KeptPort(host, port, folder / "port")

    @property
    def url(self) -> str:
        """See `Target`; the first deployment chooses it, where no port is set.

        Raises:
            DeploymentError: there was no deployment yet.
        """
        if not self._port.known():
            raise DeploymentError(
                f"nothing was deployed to {self._folder} yet, so its port is not chosen: deploy first"
            )
        return address(self._host, self._port.known())

    def lock(self) -> AbstractContextManager[None]:
        """See `Target`."""
        return deployment_lock(self._folder)

    def standing(self) -> Standing:
        """See `Target`."""
        return Standing(self._placed(Track.STABLE), self._placed(Track.CANARY))

    def current(self) -> Placed | None:
        """What callers are served now; None when nothing is ready."""
        placed = self._placed(Track.STABLE)
        return placed if placed and placed.ready else None

    def put(self, track: Track, package: Package, *, share: float = 0, trial: bool = False) -> None:
        """See `Target`.

        Raises:
            ReleaseError: it ended, was not ready in time, or serves something else.
            DeploymentError: this machine is at fault.
        """
        self._runner.prepare(package)
        self._settle()
        if track is Track.CANARY:
            self._put_canary(package, share, trial)
        else:
            self._put_stable(package)

    def remove(self, track: Track) -> None:
        """See `Target`."""
        _end(self._on(_ROLES[track]))
        self._runner.sweep()

    def stop(self) -> int:
        """End everything of this service; how many instances that were."""
        found = self._runner.find()
        _end(found)
        self._runner.sweep()
        return len(found)

    @contextmanager
    def instances(self, track: Track) -> Iterator[list[str]]:
        """See `Target`."""
        yield [each.post.url for each in self._on(_ROLES[track])[-1:]]

    def tidy(self, keep: Collection[str]) -> list[str]:
        """See `Target`; release folders and logs are the caller's."""
        return [*self._settle(), *self._runner.forget(keep)]

    def _settle(self) -> list[str]:
        """Come down to one stable instance and one canary at most, whatever was left behind; what was ended for it."""
        ended = self._on(Role.REHEARSAL) + self._on(Role.CANARY)[:-1]
        _end(ended)
        deadline = time.monotonic() + STOP_SECONDS
        while len(self._on(Role.STABLE)) > 1 and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
        hung = self._on(Role.STABLE)[1:]  # the oldest is not leaving, so no other has taken over
        _end(hung)
        for each in self._on(Role.STABLE):
            each.keep_alive(True)
        words = [f"{each.name}, {each.post.role} of release {each.post.package.tag}" for each in ended + hung]
        return [*words, *self._runner.sweep()]

    def _put_stable(self, package: Package) -> None:
        found = self._on(Role.STABLE)
        if found and is_same(found[0].post.package, package) and serves(found[0].post.url, package):
            return
        port = self._port.known() if found else self._port.choose()
        self._start(self._post(Role.REHEARSAL, package, free_port(LOOPBACK, 0))).end()
        self._take_over(package, port)

    def _put_canary(self, package: Package, share: float, trial: bool) -> None:
        post = self._post(Role.CANARY, package, self._canary_port(), share, trial)
        found = self._on(Role.CANARY)
        if [each.post for each in found] == [post] and serves(post.url, package):
            return
        _end(found)
        self._runner.sweep()
        if not is_free(LOOPBACK, post.port):
            raise DeploymentError(
                f"port {post.port}, where the service looks for its canary, is taken by another program: "
                "end that one, or `wms stop` and deploy again, which chooses another port"
            )
        self._start(post)

    def _start(self, post: Post) -> Instance:
        """Start an instance and wait until it is ready and what it should be; else it is ended again."""
        with ExitStack() as undo:
            started = self._runner.start(post)
            undo.callback(started.end)
            wait_until(started, lambda: is_ready(post.url))
            require_release(post.url, post.package)
            undo.pop_all()
        return started

    def _take_over(self, package: Package, port: int) -> None:
        _end(each for each in self._runner.find() if each.post.role is Role.STABLE and not self._is_public(each))
        _end(each for each in self._on(Role.STABLE) if is_hung(each.post.url))  # those hand nothing over
        old = self._on(Role.STABLE)
        for each in old:
            each.keep_alive(False)  # started again after it has left, it would take over in its turn
        started = self._runner.start(self._post(Role.STABLE, package, port))
        try:
            wait_until(started, started.announced)
        except DeploymentError as error:
            started.end()
            self._settle()
            raise DeploymentError(f"release {package.tag} was ready, and then did not take over: {error}") from error
        self._see_off({each.name for each in old})
        require_release(started.post.url, package)

    def _see_off(self, names: set[str]) -> None:
        """Let those that gave way finish what they have in flight, and end them when they do not."""
        deadline = time.monotonic() + STOP_SECONDS
        while left := [each for each in self._on(Role.STABLE) if each.name in names]:
            if time.monotonic() > deadline:
                _end(left)
                break
            time.sleep(_PAUSE_SECONDS)
        self._runner.sweep()

    def _post(self, role: Role, package: Package, port: int, share: float = 1, trial: bool = False) -> Post:
        if role is not Role.STABLE:
            return Post(role, package, LOOPBACK, port, share, trial)
        return Post(role, package, self._host, port, canary_port=self._canary_port(new=True))

    def _canary_port(self, new: bool = False) -> int:
        """Where the stable instance looks for its canary; a new one looks elsewhere when another program is there."""
        running = [each.post.port for each in self._on(Role.CANARY)]
        told = [each.post.canary_port for each in self._on(Role.STABLE)]
        port = next(iter(running + told), 0)
        usable = port and (running or not new or is_free(LOOPBACK, port))
        return port if usable else port_aside(LOOPBACK)

    def _on(self, role: Role) -> list[Instance]:
        """Our instances of this role, oldest first; several only while one takes over from another."""
        found = [each for each in self._runner.find() if each.post.role is role]
        return [each for each in found if role is not Role.STABLE or self._is_public(each)]

    def _is_public(self, found: Instance) -> bool:
        return (found.post.host, found.post.port) == (self._host, self._port.known())

    def _placed(self, track: Track) -> Placed | None:
        found = self._on(_ROLES[track])
        if not found:
            return None
        post = next((each.post for each in found[1:] if serves(each.post.url, each.post.package)), found[0].post)
        return Placed(post.package, post.share, post.trial, is_ready(post.url), len(found))


def _end(instances: Iterable[Instance]) -> None:
    for each in instances:
        each.end()
