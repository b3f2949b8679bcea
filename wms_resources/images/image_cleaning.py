"""Old images go from the registry: what it keeps is bounded, and what somebody may go back to stays.

A registry gives the space free when it next collects its garbage.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from wms_resources.images.code_image import CODE_LABEL
from wms_resources.images.image_registry import ImageRegistry
from wms_resources.images.model_layer import config_of
from wms_resources.images.sbom import BILL_SUFFIX

_OURS: Final = re.compile(r"code-[0-9a-f]{12}|v(?P<version>\d+)-[0-9a-f]{12}")
_REFUSED: Final = (
    "nothing: this registry lets nobody remove images (the plain one does with REGISTRY_STORAGE_DELETE_ENABLED=true)"
)


@dataclass(frozen=True, slots=True)
class _Image:
    """An image in the registry.

    Attributes:
        tag: its name.
        digest: `sha256:...` of its manifest.
        code: tag of the image of code that it stands on; empty where it is one, or none of ours.
        age: sorts by when the code was built, then by the model's version.
    """

    tag: str
    digest: str
    code: str
    age: tuple[str, int]


def remove_old(registry: ImageRegistry, keep: Collection[str], newest: int) -> list[str]:
    """Remove images of models but the newest and those to keep, and images of code that none of the rest stands on.

    What other tags than ours stand for stays, and so does the newest code, for the next model.

    Args:
        registry: the repository.
        keep: digests that stay, `sha256:...`.
        newest: how many images of models stay besides.

    Returns:
        tags that were removed; or why none could be.

    Raises:
        DeploymentError: the registry fails.
    """
    tags = registry.tags()
    images = [found for tag in tags if not tag.endswith(BILL_SUFFIX) and (found := _image(registry, tag))]
    images.sort(key=lambda image: image.age, reverse=True)
    models, codes = [each for each in images if each.code], [each for each in images if each.tag.startswith("code-")]
    held = {*keep, *(each.digest for each in images if not _OURS.fullmatch(each.tag))}
    left = [each for place, each in enumerate(models) if place < newest or each.digest in held]
    used = {*(each.code for each in left), *(each.tag for each in codes[:1])}
    old = [each for each in models if each not in left]
    old += [each for each in codes if each.tag not in used and each.digest not in held]
    gone = {each.tag: each.digest for each in old}
    for tag in [f"{each}{BILL_SUFFIX}" for each in gone if f"{each}{BILL_SUFFIX}" in tags]:
        if bill := registry.manifest(tag):
            gone[tag] = bill.digest
    return list(gone) if all(registry.delete(digest) for digest in gone.values()) else [_REFUSED]


def _image(registry: ImageRegistry, tag: str) -> _Image | None:
    """What a tag stands for; None when somebody has removed it in between."""
    manifest = registry.manifest(tag)
    if manifest is None:
        return None
    ours = _OURS.fullmatch(tag)
    if not ours:
        return _Image(tag, manifest.digest, "", ("", 0))
    config = config_of(registry, manifest)
    labels = config["config"].get("Labels") or {}
    age = (config.get("created", ""), int(ours["version"] or 0))
    return _Image(tag, manifest.digest, labels.get(CODE_LABEL, "") if ours["version"] else "", age)
