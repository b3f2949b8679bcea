"""The image of code: its name is a hash of what goes into it, and it is built where the registry has none alone."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests import containers
from tests.image_world import config_of
from tests.registry_server import PASSWORD, USER, RegistryServer, serving, with_password
from tests.rig import free_port
from tests.serving_process import ROOT
from tests.small_project import DOCKERFILE, PROJECT, small_project
from wms_ml.errors import DeploymentError
from wms_resources.images.code_image import CodeImages, code_hash
from wms_resources.images.image_registry import ImageRegistry
from wms_resources.images.registry_login import NOBODY, Credentials


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A base image of a few bytes: what is built on it is pushed at once."""
    containers.require_docker()
    name = f"wms-test-base:{uuid4().hex[:12]}"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("base"))
    subprocess.run(["docker", "import", "-", name], input=content.getvalue(), check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rmi", "--force", name], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return small_project(tmp_path / "project")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    with serving(tmp_path / "registry") as server:
        yield server
        if shutil.which("docker"):
            containers.forget(server.host)


class Builder:
    """Makes the image of a project, and keeps what the builder says."""

    def __init__(self, project: Path, host: str, base: str = "base", shown: Credentials = NOBODY) -> None:
        self.said: list[str] = []
        self.registry = ImageRegistry(f"{host}/code", shown)
        self.images = CodeImages(project, base, "auto", self.registry, self.said.append)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("serving/app.py", "changed"),
        ("serving/new.py", ""),
        ("wms_ml/page.css", "changed"),
        ("serving/Dockerfile", DOCKERFILE + "USER 1\n"),
        ("constraints.txt", "numpy==3\n"),
        ("pyproject.toml", PROJECT.replace("fastapi", "flask")),
        ("pyproject.toml", PROJECT.replace("numpy", "cupy")),
    ],
)
def test_what_goes_into_the_image_changes_its_hash(project: Path, name: str, content: str) -> None:
    before = code_hash(project, "base")
    (project / name).write_text(content)
    assert code_hash(project, "base") != before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "changed"),
        ("tests/test_app.py", "changed"),
        ("serving/__pycache__/app.pyc", "changed"),
        ("pyproject.toml", PROJECT.replace("torch", "jax").replace("1.2.3", "1.2.4")),
    ],
)
def test_what_does_not_go_into_the_image_leaves_its_hash(project: Path, name: str, content: str) -> None:
    before = code_hash(project, "base")
    (project / name).write_text(content)
    assert code_hash(project, "base") == before


def test_a_file_under_another_name_or_on_another_base_is_another_image(project: Path) -> None:
    before = code_hash(project, "base")
    assert code_hash(project, "another") != before
    (project / "serving" / "app.py").rename(project / "serving" / "other.py")
    assert code_hash(project, "base") != before


def test_a_checkout_that_is_not_whole_is_an_error_that_names_the_file(project: Path) -> None:
    (project / "constraints.txt").unlink()
    with pytest.raises(DeploymentError, match=r"constraints\.txt.*whole checkout"):
        code_hash(project, "base")


def git(project: Path, *command: str) -> None:
    subprocess.run(["git", "-C", str(project), *command], check=True, capture_output=True)


def test_it_is_built_once_with_its_lineage_and_found_ever_after(
    project: Path, base: str, server: RegistryServer
) -> None:
    git(project, "init")
    git(project, "remote", "add", "origin", "https://somebody:token@code.example/meters.git")
    first, second = Builder(project, server.host, base), Builder(project, server.host, base)
    built = first.images.ensure()
    assert built.built
    assert any("Step" in line or "RUN" in line or "COPY" in line for line in first.said), (
        "what the builder says is shown"
    )
    labels = config_of(first.registry, built.digest)["config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.source"] == "https://code.example/meters.git"
    assert len(labels["org.opencontainers.image.revision"]) >= 7
    found = second.images.ensure()
    assert (found.digest, found.built, second.said) == (built.digest, False, [])


def test_what_is_in_the_registry_needs_no_builder(
    project: Path, base: str, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Builder(project, server.host, base).images.ensure()
    monkeypatch.setenv("PATH", "")
    assert Builder(project, server.host, base).images.ensure().digest == built.digest


def test_only_the_latest_code_stays_on_the_machine_that_builds(
    project: Path, base: str, server: RegistryServer
) -> None:
    Builder(project, server.host, base).images.ensure()
    (project / "serving" / "app.py").write_text("changed")
    latest = Builder(project, server.host, base)
    latest.images.ensure()
    asked = ["docker", "images", "--format={{.Tag}}", latest.registry.repository]
    assert subprocess.run(asked, capture_output=True, text=True).stdout.split() == [latest.images.tag]


def test_it_is_pushed_with_the_registrys_password_which_the_builders_user_never_gets_to_hold(
    project: Path, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "docker"
    home.mkdir()
    (home / "config.json").write_text('{"credsStore": "none-that-exists"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    with serving(tmp_path / "locked", **with_password(tmp_path)) as server:
        assert Builder(project, server.host, base, shown=Credentials(USER, PASSWORD)).images.ensure().built
        containers.forget(server.host)
    assert json.loads((home / "config.json").read_text()) == {"credsStore": "none-that-exists"}


def test_a_base_image_that_is_nowhere_is_an_error_that_names_the_setting(project: Path, server: RegistryServer) -> None:
    containers.require_docker()
    missing = f"{server.host}/no-such-image:1"
    with pytest.raises(DeploymentError, match=rf"base image {missing} is neither.*WMS_IMAGE_BASE"):
        Builder(project, server.host, missing).images.ensure()


def test_a_step_that_fails_is_an_error_with_what_it_said(project: Path, base: str, server: RegistryServer) -> None:
    (project / "serving" / "Dockerfile").write_text(DOCKERFILE.replace("COPY serving", "COPY no-such-folder"))
    with pytest.raises(DeploymentError, match=r"(?s)`docker.*build` failed.*no-such-folder"):
        Builder(project, server.host, base).images.ensure()
    assert ImageRegistry(f"{server.host}/code").tags() == []


def test_no_builder_that_answers_is_an_error_that_names_the_setting(
    project: Path, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{free_port()}")
    if shutil.which("podman"):
        pytest.skip("podman is installed, and answers whatever DOCKER_HOST says")
    with pytest.raises(DeploymentError, match=r"neither docker nor podman.*WMS_IMAGE_BUILDER=auto"):
        Builder(project, server.host).images.ensure()


def stub(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """A builder that this machine does not have, or a state of it that cannot be brought about."""
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_builder_with_a_full_disk_is_an_error_that_says_what_makes_room(
    project: Path, server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = 'if [ "$1" = build ]; then echo "write /var/lib/docker/x: no space left on device" >&2; exit 1; fi'
    stub(tmp_path / "bin", monkeypatch, "docker", f'[ "$1" = buildx ] && exit 1\n{full}')
    with pytest.raises(DeploymentError, match=r"disk is full; `docker system prune`.*no space left"):
        Builder(project, server.host).images.ensure()


def test_podman_takes_the_place_of_a_docker_that_does_not_answer(
    project: Path, server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{free_port()}")
    stub(tmp_path / "bin", monkeypatch, "podman", 'echo "podman $*"')
    builder = Builder(project, server.host)
    with pytest.raises(DeploymentError, match="the registry has it not"):
        builder.images.ensure()
    built, pushed = [line for line in builder.said if line.startswith(("podman build", "podman push"))]
    assert built.startswith("podman build --format=docker --build-arg=BASE_IMAGE=")
    assert pushed == f"podman push --tls-verify=false {server.host}/code:{builder.images.tag}"


def test_a_push_that_is_refused_because_somebody_was_quicker_takes_theirs(
    project: Path, server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = Builder(project, server.host)
    theirs = f"put_code(ImageRegistry('{builder.registry.repository}'), '{builder.images.tag}')"
    program = f"from tests.image_world import *; {theirs}"
    quicker = f'if [ "$1" = push ]; then "{sys.executable}" -c "{program}"; echo tag is immutable; exit 1; fi'
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stub(tmp_path / "bin", monkeypatch, "docker", f'[ "$1" = buildx ] && exit 1\n{quicker}')
    image = builder.images.ensure()
    assert image.size > 50_000
    assert "tag is immutable" in builder.said
