"""A release as one layer on top of the image of code, put together in the registry: no docker, and nothing but the
model travels.

The image is a function of its content: the same code image and release give the same digest, wherever and whenever.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wms_ml.errors import DeploymentError
from wms_resources.images.image_registry import DOCKER_MANIFEST, OCI_MANIFEST, ImageRegistry, Manifest, digest_of

FILES: Final = ("README.md", "model.onnx", "release.json", "smoke.jpg")
"""What an image has of a release: model card, model, what is known of it, and a picture to try its precision on."""
_NEEDED: Final = ("model.onnx", "release.json")

_LAYER_TYPES: Final = {
    DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    OCI_MANIFEST: "application/vnd.oci.image.layer.v1.tar+gzip",
}


def layer_of(release: Path) -> bytes:
    """A release folder as an uncompressed tar of `/release`: root's, readable by all, without times.

    Raises:
        DeploymentError: a file of the release is missing.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as tar:
        folder = tarfile.TarInfo("release")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o555
        tar.addfile(folder)
        for name in FILES:
            if name not in _NEEDED and not (release / name).exists():
                continue
            data = _read(release / name)
            file = tarfile.TarInfo(f"release/{name}")
            file.size, file.mode = len(data), 0o444
            tar.addfile(file, io.BytesIO(data))
    return content.getvalue()


def standing(registry: ImageRegistry, layer: bytes, tag: str, labels: Mapping[str, str]) -> str | None:
    """Digest of the image that `tag` stands for, when it has these labels and this layer on top; None otherwise."""
    manifest = registry.manifest(tag)
    if manifest is None:
        return None
    config = config_of(registry, manifest)
    same = config["rootfs"]["diff_ids"][-1] == digest_of(layer) and labels.items() <= _labels(config).items()
    return manifest.digest if same else None


def append(registry: ImageRegistry, code_digest: str, layer: bytes, tag: str, labels: Mapping[str, str]) -> str:
    """Put a layer and labels on top of the image of code, as `tag`; sends only what the registry does not have.

    The manifest comes last: whoever dies before leaves nothing that anybody sees.

    Args:
        registry: repository that both images are in.
        code_digest: `sha256:...` of the code image's manifest.
        layer: an uncompressed tar.
        tag: name of the new image.
        labels: added to those of the code image.

    Returns:
        digest of the new image's manifest.

    Raises:
        DeploymentError: the code image is not there or not of one platform, or the registry fails.
    """
    code = registry.manifest(code_digest)
    if code is None:
        raise DeploymentError(f"{registry.repository}@{code_digest}, the image of code, is not in the registry")
    config = _extended(config_of(registry, code), digest_of(layer), tag, labels)
    manifest = code.parsed()
    packed = gzip.compress(layer, 6, mtime=0)
    manifest["layers"].append(_part(_LAYER_TYPES[code.media_type], packed))
    manifest["config"] = _part(manifest["config"]["mediaType"], config)
    registry.upload(packed)
    registry.upload(config)
    return registry.put_manifest(tag, code.media_type, _encoded(manifest))


def config_of(registry: ImageRegistry, manifest: Manifest) -> dict[str, Any]:
    """The configuration of an image.

    Raises:
        DeploymentError: it is no image of one platform.
    """
    if manifest.media_type not in _LAYER_TYPES:
        raise DeploymentError(
            f"{registry.repository}@{manifest.digest} is {manifest.media_type}, not an image of one platform: "
            "remove it from the registry, and it is built again"
        )
    config: dict[str, Any] = json.loads(registry.blob(manifest.parsed()["config"]["digest"]))
    return config


def _extended(config: dict[str, Any], layer_digest: str, tag: str, labels: Mapping[str, str]) -> bytes:
    config["rootfs"]["diff_ids"].append(layer_digest)
    config["config"]["Labels"] = {**_labels(config), **labels}
    made = {"created": config.get("created", "1970-01-01T00:00:00Z"), "created_by": f"wms: /release of {tag}"}
    config.setdefault("history", []).append(made)
    return _encoded(config)


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    return config["config"].get("Labels") or {}


def _part(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content)}


def _encoded(stated: Mapping[str, Any]) -> bytes:
    return json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeploymentError(
            f"{path} of the release cannot be read ({error}): remove its folder, and it is built again"
        ) from error
