"""A model file in, masks out: the runtime that evaluation, the command line and the service share.

A model is one ONNX file that knows how it wants to be fed: its input's shape gives the picture size, and its metadata
(key `wms`, JSON) what it was trained on. Needs openvino, numpy and Pillow; never torch.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wms_ml.arrays import PREPROCESSING, BoolMask, decode_upright, network_input, to_rgb
from wms_ml.errors import DataError
from wms_ml.reduced import Upright
from wms_ml.runtime import ModelFile, Precision
from wms_ml.stretch import stretched_mask

THRESHOLD: Final = 0.5
METADATA_KEY: Final = "wms"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one picture.

    Attributes:
        mask: bool (height, width) of the upright picture's own size.
        confidence: mean probability inside the mask, 0.5 to 1; 0.0 when nothing was found.
        coverage: share of the picture inside the mask, 0 to 1.
        probabilities: float32 (S, S) in 0..1 at the network's size, which the mask was stretched from.
    """

    mask: BoolMask
    confidence: float
    coverage: float
    probabilities: NDArray[np.float32]


def prediction_of(probabilities: NDArray[np.float32], size: tuple[int, int]) -> Prediction:
    """What probabilities float32 (S, S) say of an upright picture of this width and height."""
    mask, inside = stretched_mask(probabilities, size, THRESHOLD)
    confidence = float(inside.mean()) if len(inside) else 0.0
    return Prediction(mask, confidence, len(inside) / mask.size, probabilities)


class Predictor:
    """One loaded model.

    Attributes:
        size: side of the square network input, pixels.
        precision: of its arithmetic, as the runtime states it.
        metadata: what the model states of itself (architecture, data version, ...).
    """

    def __init__(self, model: Path, threads: int = 0, at_once: int = 1, precision: Precision = "float32") -> None:
        """Load `model`.

        Args:
            model: an ONNX file.
            threads: for each picture; 0: one per core.
            at_once: pictures that threads of the caller may have predicted at a time.
            precision: of the arithmetic; scores are those of float32, which is the same on every machine.

        Raises:
            DataError: the file is missing, not an ONNX model, or not one of ours.
        """
        file = ModelFile(model)
        self.metadata = _metadata(model, file.stated(METADATA_KEY))
        self._network = file.compiled(precision, threads, at_once)
        self.size = self._network.size
        self.precision = self._network.precision

    def probabilities(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32 (N, size, size) in 0..1 of pictures uint8 (N, size, size, 3)."""
        return np.stack([self._network.run(picture) for picture in batch])

    def predict_image(self, image: Image.Image) -> Prediction:
        """Predict one upright RGB picture."""
        return prediction_of(self._network.run(network_input(image, self.size)), image.size)

    def predict_upright(self, picture: Upright) -> Prediction:
        """Predict one picture that may have been decoded at a fraction of its size; the mask has its own."""
        return prediction_of(self._network.run(picture.network_input(self.size)), picture.size)

    def predict(self, data: bytes) -> Prediction:
        """Predict one picture file's content.

        Raises:
            PictureError: it is not a picture we can read.
        """
        return self.predict_image(to_rgb(decode_upright(data)))


def _metadata(model: Path, stated: str | None) -> dict[str, Any]:
    if stated is None:
        raise DataError(f"{model} is not a model of this platform: it has no '{METADATA_KEY}' metadata")
    metadata: dict[str, Any] = json.loads(stated)
    if metadata.get("preprocessing") != PREPROCESSING:
        raise DataError(
            f"{model} was trained with preprocessing {metadata.get('preprocessing')}, this code does "
            f"{PREPROCESSING}: use the release that trained it, or train again"
        )
    return metadata
