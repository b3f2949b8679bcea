"""The client of container registries, against the real one: what it keeps, whom it lets in, how it fails."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import token_server
from tests.registry_server import PASSWORD, USER, RegistryServer, serving, with_password
from tests.rig import free_port
from tests.s3 import serving as serving_another_api
from wms_ml.errors import DeploymentError
from wms_resources.images.image_registry import OCI_MANIFEST, ImageRegistry, digest_of
from wms_resources.images.registry_login import Credentials

KNOWN = Credentials(USER, PASSWORD)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with serving(tmp_path_factory.mktemp("registry")) as server:
        yield server


def put(registry: ImageRegistry, tag: str, said: str = "") -> str:
    """Something under a tag; its digest."""
    parts = [
        {"mediaType": "application/octet-stream", "size": len(each), "digest": registry.upload(each)}
        for each in (b"{}", said.encode())
    ]
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": parts[0], "layers": parts[1:]}
    return registry.put_manifest(tag, OCI_MANIFEST, json.dumps(manifest).encode())


def test_what_was_put_is_found_by_tag_and_by_digest_in_the_very_bytes(server: RegistryServer) -> None:
    registry = ImageRegistry(f"{server.host}/found")
    digest = put(registry, "one", "content")
    by_tag, by_digest = registry.manifest("one"), registry.manifest(digest)
    assert by_tag == by_digest
    assert by_tag is not None
    assert (by_tag.digest, by_tag.media_type) == (digest, OCI_MANIFEST)
    assert registry.blob(by_tag.parsed()["layers"][0]["digest"]) == b"content"


def test_what_is_there_already_is_not_sent_again(server: RegistryServer) -> None:
    put(ImageRegistry(f"{server.host}/again"), "one", "content")
    second = ImageRegistry(f"{server.host}/again")
    put(second, "one", "content")
    assert second.sent == 0


def test_nothing_is_no_error(server: RegistryServer) -> None:
    registry = ImageRegistry(f"{server.host}/nothing")
    assert registry.manifest("one") is None
    assert registry.tags() == []


def test_a_tag_moves_to_what_was_put_last(server: RegistryServer) -> None:
    registry = ImageRegistry(f"{server.host}/moves")
    put(registry, "one", "old")
    new = put(registry, "one", "new")
    assert (found := registry.manifest("one")) is not None
    assert found.digest == new


def test_what_was_removed_is_gone_with_all_its_tags(server: RegistryServer) -> None:
    registry = ImageRegistry(f"{server.host}/removed")
    digest = put(registry, "one")
    put(registry, "two")
    put(registry, "three", "another")
    assert registry.delete(digest)
    assert registry.tags() == ["three"]


def test_a_registry_that_removes_nothing_says_so_without_an_error(tmp_path: Path) -> None:
    with serving(tmp_path / "kept", deletes=False) as server:
        registry = ImageRegistry(f"{server.host}/kept")
        assert not registry.delete(put(registry, "one"))
        assert registry.tags() == ["one"]


def test_a_part_that_the_registry_has_damaged_is_not_taken(server: RegistryServer) -> None:
    registry = ImageRegistry(f"{server.host}/damaged")
    digest = registry.upload(b"as it was")
    name = digest.removeprefix("sha256:")
    (kept,) = server.storage.rglob(f"blobs/sha256/*/{name}/data")
    kept.write_bytes(b"otherwise")
    with pytest.raises(DeploymentError, match="damaged"):
        registry.blob(digest)


def test_a_registry_with_a_password_takes_the_right_one(tmp_path: Path) -> None:
    with serving(tmp_path / "locked", **with_password(tmp_path)) as server:
        digest = put(ImageRegistry(f"{server.host}/locked", KNOWN), "one")
        assert (found := ImageRegistry(f"{server.host}/locked", KNOWN).manifest("one")) is not None
        assert found.digest == digest


@pytest.mark.parametrize("shown", [Credentials(), Credentials(USER, "a wrong word")], ids=["none", "wrong"])
def test_no_or_wrong_credentials_are_an_error_that_names_the_settings(tmp_path: Path, shown: Credentials) -> None:
    with (
        serving(tmp_path / "locked", **with_password(tmp_path)) as server,
        pytest.raises(DeploymentError, match=r"refuses us.*WMS_REGISTRY_USER.*WMS_REGISTRY_PASSWORD.*401") as refused,
    ):
        ImageRegistry(f"{server.host}/locked", shown).manifest("one")
    assert "a wrong word" not in f"{refused.value!r}{shown!r}"


@contextmanager
def with_tokens(folder: Path) -> Iterator[RegistryServer]:
    with token_server.serving(folder) as settings, serving(folder / "tokens", **settings) as server:
        yield server


def test_a_registry_that_wants_a_token_gets_one_for_each_use(tmp_path: Path) -> None:
    with with_tokens(tmp_path) as server:
        registry = ImageRegistry(f"{server.host}/token", KNOWN)
        assert registry.manifest("one") is None  # a token for reading
        digest = put(registry, "one")  # one for writing
        assert registry.delete(digest)  # one for removing


def test_a_wrong_password_gets_no_token_and_the_error_names_the_settings(tmp_path: Path) -> None:
    with with_tokens(tmp_path) as server, pytest.raises(DeploymentError, match="WMS_REGISTRY_PASSWORD"):
        ImageRegistry(f"{server.host}/token", Credentials(USER, "a wrong word")).manifest("one")


def test_a_registry_that_is_away_is_an_error_that_names_the_setting() -> None:
    repository = f"127.0.0.1:{free_port()}/away"
    with pytest.raises(DeploymentError, match=f"WMS_IMAGE_REPOSITORY={repository} cannot be reached"):
        ImageRegistry(repository).manifest("one")


def test_a_server_that_is_no_registry_is_an_error() -> None:
    with serving_another_api() as address:
        registry = ImageRegistry(f"{address.removeprefix('http://')}/bucket")
        with pytest.raises(DeploymentError, match=r"WMS_IMAGE_REPOSITORY.*or is none"):
            registry.upload(b"content")


@pytest.mark.parametrize("repository", ["", "name", "host.example/Name", "host.example/name:tag", "busybox/name"])
def test_what_is_no_repository_is_refused_with_an_example(repository: str) -> None:
    with pytest.raises(DeploymentError, match=r"WMS_IMAGE_REPOSITORY=.*for example"):
        ImageRegistry(repository)


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[str], None]]:
    """A disk of 64 kB at `folder`; what it yields gives it another size."""

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"NO SMALL DISK: {mounted.stderr.strip()}; nobody tried a full registry")

    folder.mkdir()
    mount("size=64k")
    try:
        yield lambda size: mount(f"remount,size={size}")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_registry_with_a_full_disk_is_an_error_that_says_so_and_room_mends_it(tmp_path: Path) -> None:
    content = bytes(1 << 20)
    with small_disk(tmp_path / "small") as resize, serving(tmp_path / "small" / "registry") as server:
        registry = ImageRegistry(f"{server.host}/full")
        for refused in (content, b"small"):  # said in two ways: while it is sent, and before
            with pytest.raises(DeploymentError, match="disk is full"):
                registry.upload(refused)
        resize("8m")
        assert registry.upload(content) == digest_of(content)
