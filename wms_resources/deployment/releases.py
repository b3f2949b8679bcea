"""Releases: what a deployment puts in front of people, as one folder named by its content.

The model, what is stated of it, a card, and a known picture with the mask this model draws on it, to prove a service.
"""

import hashlib
import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import dagster as dg

from wms_ml.files import whole_folder
from wms_resources.deployment.golden import golden
from wms_resources.deployment.release_folder import CARD, MODEL, STATED, card, draw_known_picture
from wms_resources.images.code_image import code_hash
from wms_resources.registry import ModelVersion, Registry

_GONE: Final = ".gone"


class Releases(dg.ConfigurableResource):
    """Release folders.

    Attributes:
        folder: where they lie, one below it each.
        project: folder of the project; the content of what goes into an image of it is part of a release's name.
        base: image that images are built on, part of the name, too; empty: none is built.
        golden: folder of the golden pictures, the first of which comes along; empty: rendered ones.
    """

    folder: str
    project: str
    base: str = ""
    golden: str = ""

    def build(self, registry: Registry, version: ModelVersion) -> Path:
        """The release of a model version with the serving code of now; the same content is the same folder.

        Raises:
            RegistryError: the model cannot be fetched.
            DeploymentError: the project's folder is no checkout of it.
            SettingsError: the golden pictures cannot be used.
        """
        model = registry.fetch(version)
        stated: dict[str, Any] = {
            "model_name": version.name,
            "model_version": version.version,
            "data_version": version.data_version,
            "digest": version.digest,
            "metrics": version.metrics,
        }
        picture = golden(self.golden).pictures[0].image
        code, shown = code_hash(Path(self.project), self.base), hashlib.sha256(picture).hexdigest()
        named_by = json.dumps([stated, code, shown], sort_keys=True)
        tag = hashlib.sha256(named_by.encode()).hexdigest()[:12]
        target = Path(self.folder) / tag
        if not target.exists():
            with whole_folder(target) as part:
                shutil.copyfile(model, part / MODEL)
                draw_known_picture(part, picture)
                (part / CARD).write_text(card(stated))
                (part / STATED).write_text(json.dumps({**stated, "tag": tag}, indent=1))
        return target

    def tidy(self, keep: Collection[str], last: int = 5) -> list[str]:
        """Remove older release folders.

        Args:
            keep: tags that must stay.
            last: so many of the newest stay, too.

        Returns:
            the tags that went.
        """
        folder = Path(self.folder)
        for half_gone in folder.glob(f".*{_GONE}"):
            shutil.rmtree(half_gone)
        found = sorted(folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
        older = [path for path in found[last:] if path.name not in keep]
        for path in older:  # out of sight first: half a release must not lie under its name
            shutil.rmtree(path.rename(path.with_name(f".{path.name}{_GONE}")))
        return [path.name for path in older]
