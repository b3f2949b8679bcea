"""Containers of the serving image, built and run by the docker of this machine, where it has one."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.serving_process import ROOT

BASE: Final = os.environ.get("TEST_BASE_IMAGE", "python:3.11-slim-bookworm")
_BARE: Final = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
"""Options for a container that may write nothing and has no rights."""


@dataclass(frozen=True)
class Container:
    """A running one, and the address of its service."""

    image: "Image"
    name: str
    url: str

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.image.call("exec", self.name, *command)

    def stop(self) -> int:
        """Ask it to end, kill it after 20 seconds; its exit code."""
        self.image.call("stop", "--time", "20", self.name)
        return int(self.image.call("inspect", "--format", "{{.State.ExitCode}}", self.name).stdout)


@dataclass(frozen=True)
class Image:
    """The serving image."""

    tag: str

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=600, check=False)

    def config(self) -> dict[str, Any]:
        """What it states of itself: user, command, health check."""
        stated: dict[str, Any] = json.loads(self.call("image", "inspect", self.tag).stdout)[0]["Config"]
        return stated

    def once(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run `command`, or what the image runs by itself, to its end; `settings` are environment variables."""
        return self.call("run", "--rm", *_BARE, *_variables(settings), self.tag, *command)

    @contextmanager
    def serving(self, release: Path | None = None) -> Iterator[Container]:
        """A container that serves `release`, or else the image's own, ready; removed at the end."""
        name = f"wms-test-{uuid4().hex[:12]}"
        mounted = (f"--volume={release}:/release:ro",) if release else ()
        started = self.call(
            "run", "--detach", "--name", name, *_BARE, *mounted, "--publish", "127.0.0.1::8000", self.tag
        )
        try:
            assert started.returncode == 0, started.stderr
            url = f"http://{self.call('port', name, '8000/tcp').stdout.split()[0]}"
            assert _is_ready(url), self.call("logs", name).stderr
            yield Container(self, name, url)
        finally:
            self.call("rm", "--force", name)


@contextmanager
def built() -> Iterator[Image]:
    """The image, built now and removed at the end; where that cannot be, the tests are skipped, and say so."""
    require_docker()
    image = Image(f"wms-serving-test:{uuid4().hex[:12]}")
    base = f"BASE_IMAGE={BASE}"
    file = str(ROOT / "serving" / "Dockerfile")
    made = image.call("build", "--network=host", "--build-arg", base, "--file", file, "--tag", image.tag, str(ROOT))
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    try:
        yield image
    finally:
        image.call("rmi", "--force", image.tag)


def forget(host: str) -> None:
    """Remove the images of a registry that is gone from this machine, if it has a docker that answers."""
    ask = ["docker", "images", "--quiet", "--filter", f"reference={host}/*"]
    found = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.split()
    if found:
        subprocess.run(["docker", "rmi", "--force", *set(found)], capture_output=True, check=True)


def require_docker() -> None:
    """Skip, and say so, where docker or the base image is missing."""
    if shutil.which("docker") is None:
        pytest.skip("NO CONTAINERS: docker is not installed, so nobody built the serving image")
    ask = ["docker", "image", "inspect", BASE]  # never fetched here: the network may be slow, or none
    try:
        asked = subprocess.run(ask, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("NO CONTAINERS: docker does not answer, so nobody built the serving image")
    if asked.returncode:
        said = asked.stderr.strip().splitlines()[-1]
        pytest.skip(f"NO CONTAINERS: {said}; nobody built the serving image, which wants {BASE} (TEST_BASE_IMAGE)")


def _variables(settings: dict[str, str]) -> list[str]:
    return [f"--env={name}={value}" for name, value in settings.items()]


def _is_ready(url: str) -> bool:
    for _ in range(600):
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return True
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.1)
    return False
