"""A service of processes for tests of rollouts: releases to put on it, pictures to prove them with, and callers."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image

from tests.callers import Callers
from tests.onnx_model import write_red_model, write_release
from tests.rig import free_port
from tests.uploads import RED_BOX, UPRIGHT, encoded, photo
from wms_ml.files import digest_of
from wms_resources.deployment.canary_watch import Plan
from wms_resources.deployment.golden import Golden, golden
from wms_resources.deployment.release_folder import draw_known_picture, package_of
from wms_resources.deployment.rollout import Outcome, Step, roll_out
from wms_resources.deployment.targets import Package, Target, Track
from wms_resources.machine.instances import Role
from wms_resources.machine.process_target import ProcessTarget
from wms_resources.machine.service_processes import ProcessRunner

QUICK = Plan(canary=True, share=0.5, seconds=0, requests=8, poll_seconds=0.2)
"""A watch that takes no time: golden pictures decide it."""


def write_golden(folder: Path) -> Path:
    """Two pictures with a red box, one stored turned, and their masks."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    mask = Image.new("L", UPRIGHT)
    mask.paste(255, RED_BOX)
    for name, orientation in (("a", 6), ("b", 1)):
        (folder / "images" / f"{name}.png").write_bytes(photo(orientation))
        (folder / "masks" / f"{name}.png").write_bytes(encoded(mask))
    return folder


def blue_photo() -> bytes:
    """A picture as a caller's: a red box, and something blue, which no golden picture has."""
    image = Image.new("RGB", UPRIGHT)
    image.paste((255, 0, 0), RED_BOX)
    image.paste((0, 0, 255), (0, 60, 48, 96))
    return encoded(image)


def release(folder: Path, version: str, write: Callable[[Path], object] = write_red_model) -> Package:
    """A release folder of a model version, as it would have been built."""
    tag = f"{int(version):012x}"
    write_release(folder / tag, tag=tag, model_version=version)
    write(folder / tag / "model.onnx")
    restated(folder / tag)
    draw_known_picture(folder / tag, photo())
    return package_of(folder / tag)


def restated(folder: Path) -> None:
    """Have release.json state the model that lies beside it."""
    stated = json.loads((folder / "release.json").read_text())
    stated["digest"] = digest_of(folder / "model.onnx")
    (folder / "release.json").write_text(json.dumps(stated))


def process_target(home: Path) -> ProcessTarget:
    """The environment of processes below `home`, at a port of its own, whichever process asks."""
    kept = home / "port"
    if not kept.exists():
        kept.write_text(str(free_port()))
    return ProcessTarget(home / "service", port=int(kept.read_text()))


class World:
    """One environment of processes in a folder, with what tests put on it.

    Attributes:
        steps: of the last rollout, as they began.
        at: told each step as it begins; a test's own.
    """

    def __init__(self, home: Path, target: Target | None = None) -> None:
        self.home = home
        self.target = target or process_target(home)
        self.golden: Golden = golden(str(write_golden(home / "golden")))
        self.steps: list[Step] = []
        self.at: Callable[[Step], None] = lambda step: None

    def release(self, write: Callable[[Path], object] = write_red_model) -> Package:
        """A release of the next model version."""
        folder = self.home / "releases"
        return release(folder, str(len(list(folder.glob("*"))) + 1), write)

    def put(self, package: Package) -> None:
        """Have the stable track serve a release, without asking what it draws."""
        with self.target.lock():
            self.target.put(Track.STABLE, package)

    def roll_out(self, package: Package, plan: Plan = QUICK, former: Package | None = None) -> Outcome:
        self.steps.clear()
        return roll_out(self.target, package, plan, self.golden, self._tell, former)

    def _tell(self, step: Step, _: str) -> None:
        if step not in self.steps[-1:]:
            self.steps.append(step)
            self.at(step)

    def serves(self) -> tuple[str | None, str | None]:
        """Model versions on the stable track and the canary's."""
        standing = self.target.standing()
        stable, canary = (each and each.package.model_version for each in (standing.stable, standing.canary))
        return stable, canary

    def kill_canary(self) -> None:
        for each in ProcessRunner(self.home / "service").find():
            if each.post.role is Role.CANARY:
                os.kill(int(each.name.split()[-1]), signal.SIGKILL)

    @contextmanager
    def called(self, count: int = 2, picture: bytes | None = None) -> Iterator[Callers]:
        """People send pictures without pause; whatever is no answer to one is a failure."""
        url, sent = self.target.url, picture or blue_photo()

        def way() -> None:
            files = {"image": ("x.png", sent)}
            answer = httpx.post(f"{url}/predict", files=files, timeout=60, trust_env=False, verify=False)
            answer.raise_for_status()
            time.sleep(0.05)

        with Callers(*[way] * count) as callers:
            yield callers
