"""Images of releases as a whole: built by the docker of this machine, pushed to a real registry, run as they are."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from tests import containers
from tests.containers import Image
from tests.image_world import config_of, files_on_top, release_of
from tests.registry_server import RegistryServer, serving
from tests.rig import free_port
from tests.serving_process import ROOT
from wms_resources.images.image_registry import ImageRegistry
from wms_resources.images.images import Images, ReleaseImage


class World(SimpleNamespace):
    """A registry, what makes images for it, a release, and its image."""

    server: RegistryServer
    images: Images
    release: Path
    made: ReleaseImage

    @property
    def registry(self) -> ImageRegistry:
        return ImageRegistry(self.images.repository)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    containers.require_docker()
    folder = tmp_path_factory.mktemp("images")
    with serving(folder / "registry") as server:
        images = Images(f"{server.host}/reading-window", ROOT, containers.BASE, folder / "bills")
        release = release_of(folder, 7)
        (release / "README.md").write_text("card")
        yield World(server=server, images=images, release=release, made=images.make(release))
        containers.forget(server.host)


def test_the_first_image_is_built_with_its_code(world: World) -> None:
    assert world.made.origin == "built"
    assert world.made.pushed_bytes > 20_000_000
    assert world.registry.manifest(world.made.code_tag) is not None


def test_the_image_serves_its_release_with_nothing_mounted_nothing_written_and_no_rights(world: World) -> None:
    with Image(world.made.image).serving() as container:
        stated = httpx.get(f"{container.url}/version").json()
        assert (stated["tag"], stated["model_version"]) == (f"{7:012x}", "7")
        assert container.execute("id", "-u").stdout.strip() == "10001"
        assert container.execute("ls", "/release").stdout.split() == ["README.md", "model.onnx", "release.json"]
        assert "Read-only" in container.execute("touch", "/release/new").stderr


def test_the_image_tells_where_it_comes_from(world: World) -> None:
    labels = config_of(world.registry, world.made.image.partition("@")[2])["config"]["Labels"]
    stated = json.loads((world.release / "release.json").read_text())
    assert labels["wms.release"] == stated["tag"]
    assert labels["wms.model.name"] == stated["model_name"]
    assert labels["wms.model.version"] == stated["model_version"]
    assert labels["wms.model.digest"] == stated["digest"]
    assert labels["wms.data.version"] == stated["data_version"]
    assert labels["wms.code"] == world.made.code_tag
    assert labels["org.opencontainers.image.revision"]


def test_the_same_release_is_found_and_nothing_is_sent(world: World) -> None:
    before = world.server.blobs()
    again = world.images.make(world.release)
    assert (again.image, again.origin, again.pushed_bytes) == (world.made.image, "found", 0)
    assert world.server.blobs() == before
    assert world.images.image_of(world.release) == world.made.image


def test_a_new_model_sends_its_own_bytes_and_needs_no_builder(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    before = world.server.blobs()
    made = world.images.make(release_of(tmp_path, 8, size=3_000_000))
    new = sum(size for digest, size in world.server.blobs().items() if digest not in before)
    assert made.origin == "appended"
    assert new == made.pushed_bytes
    assert 3_000_000 < new < 3_050_000
    assert "release/model.onnx" in files_on_top(world.registry, made.image.partition("@")[2])


def test_the_bill_names_the_packages_inside(world: World) -> None:
    bill = json.loads(Path(world.made.bill).read_text())
    versions = {part["name"]: part["version"] for part in bill["components"]}
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line.count("==") == 1
    )
    assert versions["shapely"] == pinned["shapely"]
    assert versions["fastapi"] == pinned["fastapi"]
    assert "torch" not in versions
    assert {"libc6", "python"} <= versions.keys()
    urls = {part["name"]: part.get("purl", "") for part in bill["components"]}
    assert urls["shapely"] == f"pkg:pypi/shapely@{versions['shapely']}"
    assert urls["libc6"].startswith("pkg:deb/debian/libc6@")
    assert bill["metadata"]["component"]["version"] == world.made.code_tag


def test_the_bill_is_what_cyclonedx_says_it_should_be(world: World) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(world.made.bill).read_text()) is None


def test_the_bill_made_once_is_found_in_the_registry_by_another_machine_without_a_builder(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    elsewhere = replace(world.images, bills=tmp_path / "bills").make(world.release)
    assert Path(elsewhere.bill).parent == tmp_path / "bills"
    assert Path(elsewhere.bill).read_bytes() == Path(world.made.bill).read_bytes()


def test_a_bill_that_a_killed_deployment_did_not_make_is_made_by_the_next_one_that_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path(world.made.bill).read_bytes()
    kept = world.registry.manifest(f"{world.made.code_tag}.sbom")
    assert kept is not None
    world.registry.delete(kept.digest)
    with monkeypatch.context() as without_docker:
        without_docker.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{free_port()}")
        assert world.images.make(world.release).bill.startswith("none: ")
    made = world.images.make(world.release)
    assert Path(made.bill).read_bytes() == before
    assert world.registry.manifest(f"{world.made.code_tag}.sbom") == kept


def test_an_image_that_nobody_scanned_is_said_to_be_that(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert world.images.make(world.release).scan.said.startswith("not scanned")
