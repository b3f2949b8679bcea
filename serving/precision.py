"""In which arithmetic the service computes: bfloat16 where that changes next to nothing, float32 otherwise.

Models are judged in float32. Processors that know bfloat16 need half the time in it, and round each feature to three
digits: before a model is served so, its masks on known pictures are compared with those in float32, in this process on
this processor.
"""

import logging
from statistics import mean
from typing import Final

import numpy as np
from PIL import Image

from serving.release import Release
from serving.settings import ServingSettings
from wms_ml.arrays import image_of
from wms_ml.errors import PictureError
from wms_ml.predictor import Predictor
from wms_ml.runtime import has_bfloat16
from wms_ml.samples import render

_LOGGER: Final = logging.getLogger("wms.serving")

MOST_CHANGED: Final = 0.0002
"""Mean share of a known picture's pixels that may lie in one of the two masks alone.

On five pictures no single one can then differ by more than 0.1 %, which the proof of a deployment allows.
"""

PICTURE: Final = "smoke.jpg"
"""Beside the model in a release made for a deployment: a picture of the field, where golden ones were given."""

_RENDERED: Final = 4
_SIZE: Final = (300, 400)
"""Width and height of the rendered ones; larger ones say the same and take longer."""


def predictor_of(release: Release, settings: ServingSettings) -> Predictor:
    """The release's model as the service asks it.

    Raises:
        DataError: it is not one of ours.
        PictureError: the release's own picture does not decode.
    """
    threads, at_once = settings.threads_each, settings.at_work
    exact = Predictor(release.model, threads, at_once)
    # Integers stay integers, and gain nothing from it.
    if settings.precision == "float32" or exact.metadata.get("served_as") == "int8" or not has_bfloat16():
        return exact
    quick = Predictor(release.model, threads, at_once, "bfloat16")
    changed = mean(_changed(exact, quick, picture) for picture in known_pictures(release))
    if changed <= MOST_CHANGED:
        return quick
    _LOGGER.warning("computing in float32: bfloat16 would change %.3f %% of the pixels of known masks", 100 * changed)
    return exact


def known_pictures(release: Release) -> list[Image.Image]:
    """Rendered water meters, and the picture that the release brings, if it does.

    Raises:
        PictureError: that one does not decode.
    """
    pictures = [image_of(render(0, index, _SIZE).image_jpeg) for index in range(_RENDERED)]
    own = release.model.with_name(PICTURE)
    if own.is_file():
        try:
            pictures.append(image_of(own.read_bytes()))
        except PictureError as error:
            raise PictureError(error.code, f"{own}: {error}") from error
    return pictures


def _changed(exact: Predictor, quick: Predictor, picture: Image.Image) -> float:
    """Share of a picture's pixels, 0 to 1, that lie in one mask and not in the other."""
    one, other = (predictor.predict_image(picture).mask for predictor in (exact, quick))
    return float(np.mean(one != other))
