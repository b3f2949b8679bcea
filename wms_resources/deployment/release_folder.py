"""What lies in a release folder: the model, what is stated of it, and a picture with the mask that this model draws."""

import json
from pathlib import Path
from typing import Final

from wms_ml.errors import DeploymentError
from wms_ml.predictor import Predictor
from wms_ml.render import encoded, mask_image
from wms_resources.deployment.targets import Package

MODEL: Final = "model.onnx"
STATED: Final = "release.json"
PICTURE: Final = "smoke.jpg"
MASK: Final = "smoke.png"
"""The mask that this very model draws on the picture, on the machine that made the release."""


def package_of(release: Path, image: str = "") -> Package:
    """A release folder as targets run it; `image` holds the same release.

    Raises:
        DeploymentError: the folder is not whole.
    """
    try:
        stated = json.loads((release / STATED).read_text())
        return Package(stated["tag"], stated["model_version"], stated["digest"], str(release), image)
    except (OSError, ValueError, KeyError) as error:
        raise DeploymentError(f"{release} is not a release folder: {error!r}") from error


def draw_known_picture(folder: Path, picture: bytes) -> None:
    """Put a picture into a release folder, with the mask that its model draws on it here."""
    (folder / PICTURE).write_bytes(picture)
    mask = Predictor(folder / MODEL).predict(picture).mask
    (folder / MASK).write_bytes(encoded(mask_image(mask), "PNG"))
