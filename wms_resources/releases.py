"""Releases: what a deployment puts in front of people, as one folder named by its content.

model.onnx, release.json, and a known picture with the mask this model draws on it, to prove a service with.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

import dagster as dg
import httpx
import numpy as np

from wms_ml.arrays import decode_upright, to_grey
from wms_ml.errors import DeploymentError
from wms_ml.files import whole_folder
from wms_ml.predictor import Predictor
from wms_ml.render import encoded, mask_image
from wms_ml.samples import render
from wms_resources.registry import ModelVersion, Registry

_PICTURE: Final = "smoke.jpg"
_MASK: Final = "smoke.png"


class Releases(dg.ConfigurableResource):
    """Release folders.

    Attributes:
        folder: where they lie, one below it each.
        code: folder of the service's own source; its content is part of a release's name.
    """

    folder: str
    code: str

    def build(self, registry: Registry, version: ModelVersion) -> Path:
        """The release of a model version with the serving code of now; the same content is the same folder.

        Raises:
            RegistryError: the model cannot be fetched.
        """
        model = registry.fetch(version)
        stated: dict[str, Any] = {
            "model_name": version.name,
            "model_version": version.version,
            "data_version": version.data_version,
            "digest": version.digest,
            "metrics": version.metrics,
        }
        tag = hashlib.sha256(json.dumps([stated, _content_of(Path(self.code))], sort_keys=True).encode()).hexdigest()[
            :12
        ]
        target = Path(self.folder) / tag
        if not target.exists():
            with whole_folder(target) as part:
                shutil.copyfile(model, part / "model.onnx")
                _draw_smoke_test(part)
                (part / "release.json").write_text(json.dumps({**stated, "tag": tag}, indent=1))
        return target


def prove(release: Path, url: str) -> None:
    """Ask a live service which release it serves, and have it find the window in the known picture.

    Raises:
        DeploymentError: it serves something else, or draws another mask than this model does.
    """
    stated = json.loads((release / "release.json").read_text())
    try:
        with httpx.Client(base_url=url, timeout=60) as http:
            version = http.get("/version").raise_for_status().json()
            files = {"image": (_PICTURE, (release / _PICTURE).read_bytes(), "image/jpeg")}
            answer = http.post("/predict", files=files, headers={"Accept": "image/png"}).raise_for_status()
    except httpx.HTTPError as error:
        raise DeploymentError(f"the new service at {url} does not answer as it should: {error}") from error
    for key in ("tag", "digest", "model_version"):
        if version[key] != stated[key]:
            raise DeploymentError(f"the service at {url} serves {key} {version[key]}, not {stated[key]}")
    found, expected = (to_grey(decode_upright(data)) for data in (answer.content, (release / _MASK).read_bytes()))
    if found.shape != expected.shape or np.mean(found != expected) > 0.001:
        raise DeploymentError(f"the service at {url} draws another mask on the known picture than its model does")


def _draw_smoke_test(folder: Path) -> None:
    picture = render(seed=7, index=0).image_jpeg
    (folder / _PICTURE).write_bytes(picture)
    mask = Predictor(folder / "model.onnx").predict(picture).mask
    (folder / _MASK).write_bytes(encoded(mask_image(mask), "PNG"))


def _content_of(folder: Path) -> str:
    """Hash over a folder's files and their names."""
    digest = hashlib.sha256()
    for path in sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
