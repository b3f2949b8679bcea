"""Old images are removed from a real registry; what somebody may go back to stays and stays whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image_world import files_on_top, put_code, release_of
from tests.registry_server import RegistryServer, serving
from wms_resources.images.image_cleaning import remove_old
from wms_resources.images.image_registry import ImageRegistry
from wms_resources.images.images import Images
from wms_resources.images.model_layer import append, layer_of


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    with serving(tmp_path / "registry") as server:
        yield server


@pytest.fixture
def registry(server: RegistryServer) -> ImageRegistry:
    return ImageRegistry(f"{server.host}/model")


def code_tag(number: int) -> str:
    return f"code-{number:012x}"


def put(registry: ImageRegistry, folder: Path, code: int, *versions: int) -> dict[int, str]:
    """An image of code with a bill of its own, and models on it; the models' digests."""
    base = put_code(registry, code_tag(code), created=f"2026-01-{code:02}T00:00:00Z")
    put_code(registry, f"{code_tag(code)}.sbom")
    return {
        version: append(
            registry,
            base,
            layer_of(release_of(folder, version)),
            f"v{version}-{version:012x}",
            {"wms.code": code_tag(code)},
        )
        for version in versions
    }


def test_the_newest_models_stay_with_the_code_they_stand_on(tmp_path: Path, registry: ImageRegistry) -> None:
    put(registry, tmp_path, 1, 1, 2)
    put(registry, tmp_path, 2, 9, 10, 11)
    removed = remove_old(registry, set(), newest=2)
    assert sorted(removed) == sorted(
        [*(f"v{each}-{each:012x}" for each in (1, 2, 9)), code_tag(1), f"{code_tag(1)}.sbom"]
    )
    assert set(registry.tags()) == {f"v{10}-{10:012x}", f"v{11}-{11:012x}", code_tag(2), f"{code_tag(2)}.sbom"}


def test_what_is_to_be_kept_stays_whole_however_old(tmp_path: Path, registry: ImageRegistry) -> None:
    old = put(registry, tmp_path, 1, 1)[1]
    put(registry, tmp_path, 2, 2, 3)
    assert remove_old(registry, {old}, newest=1) == [f"v2-{2:012x}"]
    assert code_tag(1) in registry.tags()
    assert "release/model.onnx" in files_on_top(registry, old)


def test_code_that_no_model_stands_on_yet_stays_while_it_is_the_newest(tmp_path: Path, registry: ImageRegistry) -> None:
    put(registry, tmp_path, 1, 1)
    put_code(registry, code_tag(2), created="2026-02-01T00:00:00Z")
    assert remove_old(registry, set(), newest=1) == []


def test_what_others_have_tagged_is_left_alone(tmp_path: Path, registry: ImageRegistry) -> None:
    digest = put(registry, tmp_path, 1, 1, 2)[1]
    kept = registry.manifest(digest)
    assert kept is not None
    registry.put_manifest("best-of-spring", kept.media_type, kept.content)
    assert remove_old(registry, set(), newest=1) == []
    assert "best-of-spring" in registry.tags()


def test_a_registry_that_removes_nothing_is_said_to_and_is_no_error(tmp_path: Path) -> None:
    with serving(tmp_path / "registry", deletes=False) as server:
        registry = ImageRegistry(f"{server.host}/model")
        put(registry, tmp_path, 1, 1, 2)
        (said,) = remove_old(registry, set(), newest=1)
        assert said.startswith("nothing: this registry lets nobody remove images")
        assert len(registry.tags()) == 4


def test_images_to_keep_are_named_as_they_are_deployed(tmp_path: Path, server: RegistryServer) -> None:
    images = Images(f"{server.host}/model", tmp_path, "base", tmp_path, newest=1)
    old = put(ImageRegistry(images.repository), tmp_path, 1, 1, 2)[1]
    assert images.tidy([f"{images.repository}@{old}"]) == []
    assert images.tidy([]) == [f"v1-{1:012x}"]
