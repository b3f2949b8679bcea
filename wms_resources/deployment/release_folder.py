"""What lies in a release folder: the model, what is stated of it, and a picture with the mask that this model draws."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wms_ml.errors import DeploymentError
from wms_ml.predictor import Predictor
from wms_ml.reduced import decode, enough_for
from wms_ml.render import encoded, mask_image
from wms_resources.deployment.targets import Package

MODEL: Final = "model.onnx"
STATED: Final = "release.json"
CARD: Final = "README.md"
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


def card(stated: Mapping[str, Any]) -> str:
    """What release.json states, for people: a short card, which nothing that happens later changes."""
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in stated["metrics"].items())
    return (
        f"# {stated['model_name']}, version {stated['model_version']}\n\n"
        "Finds the reading window in pictures of water meters: one probability a pixel, 1 inside the window.\n\n"
        f"* trained on data version `{stated['data_version']}`\n"
        f"* on the test pictures: {metrics or 'not scored'}\n"
        f"* model.onnx is `{stated['digest']}`\n\n"
        "The whole model card, with slices and limits, is with this version in the model registry, below `card/`.\n"
    )


def draw_known_picture(folder: Path, picture: bytes) -> None:
    """Put a picture into a release folder, with the mask that its model draws on it here, decoded as services do."""
    (folder / PICTURE).write_bytes(picture)
    model = Predictor(folder / MODEL)
    mask = model.predict_upright(decode(picture, at_least=enough_for(model.size))).mask
    (folder / MASK).write_bytes(encoded(mask_image(mask), "PNG"))
