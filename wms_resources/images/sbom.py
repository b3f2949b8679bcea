"""The bill of materials of the image of code: the Python and Debian packages inside, as CycloneDX states them.

It is made once an image, by asking a container of it, and kept in the registry under a tag of its own: every registry
can do that, while only some know of attachments (OCI's referrers).
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from wms_ml.errors import DeploymentError
from wms_ml.files import write_whole
from wms_resources.images.image_builder import Builder
from wms_resources.images.image_registry import OCI_MANIFEST, ImageRegistry
from wms_resources.images.model_layer import config_of

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

BILL_SUFFIX: Final = ".sbom"
"""Ends the tag of a bill, which is otherwise that of its image of code."""

_EMPTY: Final = b"{}"
_TYPE: Final = "application/vnd.cyclonedx+json"
_ASK: Final = """
import importlib.metadata, json, pathlib, platform
def read(path):
    return pathlib.Path(path).read_text() if pathlib.Path(path).exists() else ""
found = importlib.metadata.distributions()
python = [[each.metadata[name] for name in ("Name", "Version", "License-Expression", "License")] for each in found]
debian, system = read("/var/lib/dpkg/status"), read("/etc/os-release")
print(json.dumps({"version": platform.python_version(), "python": python, "debian": debian, "system": system}))
"""
"""Runs in the container. Nothing of ours is imported there."""


def find(registry: ImageRegistry, code_tag: str, folder: Path) -> Path | None:
    """The bill of the image of code, as a file in `folder`; None when nobody has made it yet."""
    kept = registry.manifest(code_tag + BILL_SUFFIX)
    return _written(registry.blob(kept.parsed()["layers"][0]["digest"]), code_tag, folder) if kept else None


def make(builder: Builder, code_tag: str, image: str, folder: Path) -> Path:
    """Make the bill, keep it in the registry, and write it to `folder`.

    Args:
        builder: runs the container.
        code_tag: tag of the image of code.
        image: `sha256:...` of that image, or of one on top of it.
        folder: where the file is to lie.

    Raises:
        DeploymentError: the image does not run, or the registry fails.
    """
    registry = builder.registry
    manifest = registry.manifest(image)
    if manifest is None:
        raise DeploymentError(f"{registry.repository}@{image} is not in the registry")
    made = datetime.fromisoformat(config_of(registry, manifest).get("created", "1970-01-01T00:00:00Z"))
    inside = json.loads(builder.output(image, "python", "-c", _ASK))
    bill = _stated(f"{registry.repository}:{code_tag}", made, inside)
    _keep(registry, code_tag, bill)
    return _written(bill, code_tag, folder)


def _keep(registry: ImageRegistry, code_tag: str, bill: bytes) -> None:
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": _TYPE,
        "config": _part(registry, "application/vnd.oci.empty.v1+json", _EMPTY),
        "layers": [_part(registry, _TYPE, bill)],
    }
    registry.put_manifest(code_tag + BILL_SUFFIX, OCI_MANIFEST, json.dumps(manifest).encode())


def _part(registry: ImageRegistry, media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(content), "digest": registry.upload(content)}


def _written(bill: bytes, code_tag: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{code_tag}.cdx.json"
    write_whole(path, bill.decode())
    return path


def _stated(image: str, made: datetime, inside: dict[str, Any]) -> bytes:
    """The document; the same packages in the same image give the same bytes."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    name, _, version = image.rpartition(":")
    described = Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=image)
    python = Component(name="python", version=inside["version"], type=ComponentType.PLATFORM, bom_ref="python")
    packages = [*_python(inside["python"]), *_debian(inside["debian"], inside["system"])]
    bill = Bom(
        components=[python, *packages],
        serial_number=uuid5(NAMESPACE_URL, image),
        metadata=BomMetaData(component=described, timestamp=made),
    )
    bill.register_dependency(described, bill.components)
    return JsonV1Dot6(bill).output_as_string(indent=1).encode()


def _python(found: Iterable[list[str | None]]) -> Iterator["Component"]:
    from cyclonedx.factory.license import LicenseFactory
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    for name, version, expression, text in found:
        stated = expression or text or ""
        licences = [LicenseFactory().make_from_string(stated)] if stated and "\n" not in stated else []
        url = PackageURL("pypi", None, name, version)
        yield Component(name=str(name), version=version, purl=url, bom_ref=str(url), licenses=licences)


def _debian(status: str, system: str) -> Iterator["Component"]:
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    release = dict(line.split("=", 1) for line in system.splitlines() if "=" in line)
    stated = {name: release.get(name, "").strip('"') for name in ("ID", "VERSION_ID")}
    for paragraph in status.split("\n\n"):
        package = HeaderParser().parsestr(paragraph.lstrip())
        if "installed" in package.get("Status", "").split():
            where = {"arch": package["Architecture"], "distro": f"{stated['ID']}-{stated['VERSION_ID']}"}
            url = PackageURL("deb", stated["ID"], package["Package"], package["Version"], where)
            yield Component(name=package["Package"], version=package["Version"], purl=url, bom_ref=str(url))
