"""Small images in a registry, made without docker, and releases to put on top of them."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

from tests.onnx_model import write_release
from wms_resources.images.image_registry import DOCKER_MANIFEST, OCI_MANIFEST, ImageRegistry, digest_of

_CONFIG = {
    DOCKER_MANIFEST: "application/vnd.docker.container.image.v1+json",
    OCI_MANIFEST: "application/vnd.oci.image.config.v1+json",
}
_LAYER = {
    DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    OCI_MANIFEST: "application/vnd.oci.image.layer.v1.tar+gzip",
}


def put_code(
    registry: ImageRegistry,
    tag: str,
    media_type: str = DOCKER_MANIFEST,
    created: str = "2026-01-01T00:00:00Z",
    labels: dict[str, str] | None = None,
) -> str:
    """An image of one layer of random bytes, as docker or podman pushes it; its digest."""
    layer = gzip.compress(os.urandom(50_000))
    config: dict[str, Any] = {"architecture": "amd64", "os": "linux", "created": created, "config": {"Labels": labels}}
    config["rootfs"] = {"type": "layers", "diff_ids": [digest_of(gzip.decompress(layer))]}
    stated = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _part(registry, _CONFIG[media_type], stated),
        "layers": [_part(registry, _LAYER[media_type], layer)],
    }
    return registry.put_manifest(tag, media_type, json.dumps(manifest).encode())


def release_of(folder: Path, version: int = 7, size: int = 0) -> Path:
    """A release; with `size`, of a model of so many random bytes, which no service can load."""
    path = folder / f"release-{version}"
    write_release(path, model_version=str(version), tag=f"{version:012x}")
    if size:
        (path / "model.onnx").write_bytes(os.urandom(size))
    return path


def config_of(registry: ImageRegistry, digest: str) -> dict[str, Any]:
    """What an image states of itself."""
    manifest = registry.manifest(digest)
    assert manifest is not None
    config: dict[str, Any] = json.loads(registry.blob(manifest.parsed()["config"]["digest"]))
    return config


def files_on_top(registry: ImageRegistry, digest: str) -> dict[str, tarfile.TarInfo]:
    """What the last layer of an image holds, by name."""
    manifest = registry.manifest(digest)
    assert manifest is not None
    packed = registry.blob(manifest.parsed()["layers"][-1]["digest"])
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        return {member.name: member for member in tar}


def _part(registry: ImageRegistry, media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(content), "digest": registry.upload(content)}
