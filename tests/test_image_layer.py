"""The model's layer on top of the image of code, put there in a real registry without docker."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image_world import config_of, files_on_top, put_code, release_of
from tests.registry_server import RegistryServer, serving
from tests.serving_process import ROOT
from tests.wire import wired
from wms_ml.errors import DeploymentError
from wms_resources.images.image_registry import DOCKER_MANIFEST, OCI_MANIFEST, ImageRegistry
from wms_resources.images.model_layer import FILES, append, layer_of, standing

LABELS = {"wms.model.version": "7"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    with serving(tmp_path / "registry") as server:
        yield server


@pytest.fixture
def registry(server: RegistryServer) -> ImageRegistry:
    return ImageRegistry(f"{server.host}/model")


def test_a_layer_has_the_release_and_nothing_of_where_it_was_made(tmp_path: Path, registry: ImageRegistry) -> None:
    release = release_of(tmp_path)
    (release / "README.md").write_text("card")
    (release / "smoke.jpg").write_bytes(b"picture")
    digest = append(registry, put_code(registry, "code"), layer_of(release), "v7", LABELS)
    files = files_on_top(registry, digest)
    assert list(files) == ["release", *(f"release/{name}" for name in FILES)]
    assert {(file.uid, file.gid, file.uname, file.mtime) for file in files.values()} == {(0, 0, "", 0)}
    assert [file.mode for file in files.values()] == [0o555, 0o444, 0o444, 0o444, 0o444]


def test_the_same_release_gives_the_same_layer_whenever_its_files_were_written(tmp_path: Path) -> None:
    release = release_of(tmp_path)
    copied = Path(shutil.copytree(release, tmp_path / "later", copy_function=shutil.copyfile))
    os.utime(copied / "model.onnx", (1, 1))
    (copied / "smoke.png").write_bytes(b"not for the image")
    (copied / "model.onnx").chmod(0o600)
    assert layer_of(copied) == layer_of(release)


@pytest.mark.parametrize("media_type", [DOCKER_MANIFEST, OCI_MANIFEST])
def test_the_same_release_on_the_same_code_is_the_same_image_and_sends_nothing_twice(
    tmp_path: Path, server: RegistryServer, media_type: str
) -> None:
    first, second = (ImageRegistry(f"{server.host}/model") for _ in range(2))
    code, layer = put_code(first, "code", media_type), layer_of(release_of(tmp_path))
    digest = append(first, code, layer, "v7", LABELS)
    assert append(second, code, layer, "v7", LABELS) == digest
    assert second.sent == 0
    assert standing(second, layer, "v7", LABELS) == digest


def test_the_image_keeps_what_the_code_states_and_adds_its_own(tmp_path: Path, registry: ImageRegistry) -> None:
    code = put_code(registry, "code", labels={"org.opencontainers.image.revision": "c0ffee"})
    digest = append(registry, code, layer_of(release_of(tmp_path)), "v7", LABELS)
    before, after = config_of(registry, code), config_of(registry, digest)
    assert after["config"]["Labels"] == {"org.opencontainers.image.revision": "c0ffee", **LABELS}
    assert after["rootfs"]["diff_ids"][:-1] == before["rootfs"]["diff_ids"]
    assert after["created"] == before["created"]
    assert after["history"][-1]["created_by"].endswith("v7")


def test_a_new_model_on_the_same_code_sends_its_layer_its_config_and_its_manifest_alone(
    tmp_path: Path, server: RegistryServer, registry: ImageRegistry
) -> None:
    code = put_code(registry, "code")
    append(registry, code, layer_of(release_of(tmp_path, 7)), "v7", LABELS)
    before, sent = server.blobs(), registry.sent
    append(registry, code, layer_of(release_of(tmp_path, 8, size=1_000_000)), "v8", LABELS)
    new = [size for digest, size in server.blobs().items() if digest not in before]
    assert len(new) == 3
    assert sum(new) == registry.sent - sent
    assert 1_000_000 < sum(new) < 1_010_000


@pytest.mark.parametrize("changed", ["layer", "labels"])
def test_a_tag_that_stands_for_something_else_is_not_taken_for_the_release(
    tmp_path: Path, registry: ImageRegistry, changed: str
) -> None:
    layer = layer_of(release_of(tmp_path, 7))
    append(registry, put_code(registry, "code"), layer, "v7", LABELS)
    asked = {"layer": (layer_of(release_of(tmp_path, 8)), LABELS), "labels": (layer, {"wms.model.version": "8"})}
    assert standing(registry, asked[changed][0], "v7", asked[changed][1]) is None


def test_a_push_that_is_killed_half_way_shows_nobody_anything_and_the_next_one_completes_it(
    tmp_path: Path, server: RegistryServer, registry: ImageRegistry
) -> None:
    code, release = put_code(registry, "code"), release_of(tmp_path, 7, size=2_000_000)
    with wired(server.host, limit=1_000_000) as wire:
        pushing = subprocess.Popen([sys.executable, "-c", _PUSH, f"{wire.host}/model", code, str(release)], cwd=ROOT)
        assert wire.stalled.wait(60)
        pushing.send_signal(signal.SIGKILL)
        pushing.wait()
    assert registry.tags() == ["code"]
    digest = append(registry, code, layer_of(release), "v7", {})
    assert "release/model.onnx" in files_on_top(registry, digest)


_PUSH = """
import sys
from pathlib import Path
from wms_resources.images.image_registry import ImageRegistry
from wms_resources.images.model_layer import append, layer_of
repository, code, release = sys.argv[1:]
append(ImageRegistry(repository), code, layer_of(Path(release)), "v7", {})
"""


def test_code_that_is_not_in_the_registry_is_an_error(tmp_path: Path, registry: ImageRegistry) -> None:
    with pytest.raises(DeploymentError, match="the image of code, is not in the registry"):
        append(registry, f"sha256:{'0' * 64}", layer_of(release_of(tmp_path)), "v7", LABELS)


def test_an_image_of_several_platforms_is_an_error_with_a_remedy(tmp_path: Path, registry: ImageRegistry) -> None:
    index = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    code = registry.put_manifest("code", "application/vnd.oci.image.index.v1+json", index)
    with pytest.raises(DeploymentError, match="not an image of one platform: remove it"):
        append(registry, code, layer_of(release_of(tmp_path)), "v7", LABELS)


def test_a_release_without_its_model_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    release = release_of(tmp_path)
    (release / "model.onnx").unlink()
    with pytest.raises(DeploymentError, match=r"model\.onnx of the release cannot be read"):
        layer_of(release)
