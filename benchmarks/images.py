"""What a new model with unchanged code costs to push: `python -m benchmarks.images [--model FILE] [--rounds N]`.

Three ways to make and push its image, which take turns: the platform's layer on top of the image that the registry
has; docker's build with its cache, the model copied in at the end; and docker's build and push from nothing. All go
over a line that counts bytes, to a real registry on this machine. Needs docker, docker-registry and a base image.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import containers
from tests.onnx_model import write_release
from tests.registry_server import serving
from tests.wire import Wire, wired
from wms_resources.images.images import Images

ROOT: Final = Path(__file__).resolve().parent.parent
MODEL_BYTES: Final = 21_000_000
"""As large as the networks that the platform trains by default."""

CONTEXT: Final = (".dockerignore", "constraints.txt", "pyproject.toml", "serving", "wms_ml")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one push took: bytes sent to the registry, and seconds."""

    sent: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Bench:
    """What all ways push, and where to.

    Attributes:
        project: copy of the project's code: nobody edits it during the run.
        line: to the registry.
        litter: images that builds from nothing have left on this machine.
    """

    project: Path
    line: Wire
    litter: list[str] = field(default_factory=list)

    def layered(self, release: Path) -> str:
        """The platform's: one layer on top of the image of code; `repository@sha256:...`, as all ways."""
        with tempfile.TemporaryDirectory() as bills:
            repository = f"{self.line.host}/layered"
            return Images(repository, self.project, containers.BASE, Path(bills), say=lambda _: None).image_of(release)

    def cached(self, release: Path) -> str:
        """docker's, with what it kept of the build before: to the repository that has the image before."""
        return self._rebuilt(release, f"{self.line.host}/cached:{uuid4().hex[:12]}")[0]

    def from_nothing(self, release: Path) -> str:
        """docker's, with nothing kept, to a repository of its own."""
        image, said = self._rebuilt(release, f"{self.line.host}/fresh-{uuid4().hex[:12]}:1", "--no-cache")
        self.litter.extend(re.findall(r"^ ---> ([0-9a-f]{12})$", said, re.MULTILINE))
        return image

    def clean(self) -> None:
        """Remove what was built; never the base image, nor what other builds stand on."""
        containers.forget(self.line.host)
        base = _docker("image", "inspect", "--format={{.Id}}", containers.BASE)
        for step in reversed([each for each in self.litter if each not in base]):
            subprocess.run(["docker", "rmi", step], capture_output=True, check=False)  # most went with the first

    def _rebuilt(self, release: Path, name: str, *options: str) -> tuple[str, str]:
        """The image, and what the build said."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self.project, folder, dirs_exist_ok=True)
            shutil.copytree(release, Path(folder, "release"))
            Path(folder, ".dockerignore").write_text("**/__pycache__\nserving/Dockerfile\n")
            text = Path(folder, "serving", "Dockerfile").read_text()
            Path(folder, "Dockerfile").write_text(f"{text}\nFROM code\nCOPY release /release\n")
            given = (f"--build-arg=BASE_IMAGE={containers.BASE}", f"--file={folder}/Dockerfile", f"--tag={name}")
            said = _docker("build", *options, *given, folder)
        _docker("push", name)
        (image,) = json.loads(_docker("image", "inspect", "--format={{json .RepoDigests}}", name))
        return image, said


def _docker(*arguments: str) -> str:
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


WAYS: Final = {
    "one layer on top": Bench.layered,
    "docker, with its cache": Bench.cached,
    "docker, from nothing": Bench.from_nothing,
}


def new_release(folder: Path, version: int, model: Path | None) -> Path:
    """A release nobody has pushed yet: of this model and a few bytes more, or of random bytes."""
    release = folder / str(version)
    write_release(release, model_version=str(version), tag=uuid4().hex[:12])
    content = model.read_bytes() + os.urandom(16) if model else os.urandom(MODEL_BYTES)
    (release / "model.onnx").write_bytes(content)
    return release


def code_of_now(folder: Path) -> Path:
    """A copy of what the image is made of."""
    for name in CONTEXT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    return folder


def compare(folder: Path, model: Path | None, rounds: int) -> dict[str, list[Cost]]:
    """What each way costs, in as many rounds; the code is known to the registry and to docker before they begin."""
    (folder / "project").mkdir()
    with serving(folder / "registry") as server, wired(server.host) as line:
        bench = Bench(code_of_now(folder / "project"), line)
        known = new_release(folder, 0, model)
        costs: dict[str, list[Cost]] = {name: [] for name in WAYS}
        try:
            bench.layered(known)
            bench.cached(known)
            for number, name in enumerate(list(WAYS) * rounds, start=1):
                release = new_release(folder, number, model)
                before, began = line.sent, time.perf_counter()
                WAYS[name](bench, release)
                costs[name].append(Cost(line.sent - before, time.perf_counter() - began))
                print(name, costs[name][-1], file=sys.stderr, flush=True)
        finally:
            bench.clean()
    return costs


def table(costs: dict[str, list[Cost]]) -> str:
    """Medians with their range, and how many times the first row's they are."""
    lines = ["| way | sent, MB | seconds | bytes, times | seconds, times |", "| --- | --- | --- | --- | --- |"]
    first = next(iter(costs.values()))
    for name, each in costs.items():
        sent, took = ([getattr(cost, what) for cost in each] for what in ("sent", "seconds"))
        more = median(sent) / median(cost.sent for cost in first), median(took) / median(c.seconds for c in first)
        spread = f"{median(took):.1f} ({min(took):.1f} to {max(took):.1f})"
        lines.append(f"| {name} | {median(sent) / 1e6:.1f} | {spread} | {more[0]:.1f} | {more[1]:.1f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What a new model with unchanged code costs to push.")
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: random bytes of a usual size")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    containers.require_docker()
    with tempfile.TemporaryDirectory() as folder:
        print(table(compare(Path(folder), options.model, options.rounds)))


if __name__ == "__main__":
    main()
