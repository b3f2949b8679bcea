"""The model at work: loaded and warm before anybody asks, off the event loop, a few pictures at a time."""

import os
import time
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread
from PIL import Image

from serving.release import Release
from wms_ml.arrays import decode_upright, to_rgb
from wms_ml.predictor import Predictor
from wms_ml.render import encoded, mask_image


@dataclass(frozen=True, slots=True)
class Found:
    """What the model says of one picture.

    Attributes:
        size: width and height of the upright picture, pixels.
        mask: PNG of that size, mode L: 255 inside the reading window, 0 outside.
        confidence: mean probability inside the mask, 0.5 to 1; 0 when nothing was found.
        coverage: share of the picture inside the mask, 0 to 1.
        milliseconds: work on it, without waiting for its turn.
    """

    size: tuple[int, int]
    mask: bytes
    confidence: float
    coverage: float
    milliseconds: float


class Inference:
    """One loaded, warm model."""

    def __init__(self, release: Release, max_pixels: int) -> None:
        """Load the model and run it once: the first run allocates, and no caller should wait for that.

        Raises:
            DataError: the model is not one of ours.
        """
        self._predictor = Predictor(release.model)
        self._max_pixels = max_pixels
        # More at once would not be faster, only later: each already uses every core.
        self._turns = CapacityLimiter(os.cpu_count() or 1)
        self._predictor.predict_image(Image.new("RGB", (self._predictor.size, self._predictor.size)))

    async def find(self, data: bytes) -> Found:
        """The reading window in one picture file's content.

        Raises:
            PictureError: it is not a picture we can read, or has too many pixels.
        """
        return await to_thread.run_sync(self._find, data, limiter=self._turns)

    def _find(self, data: bytes) -> Found:
        start = time.perf_counter()
        image = to_rgb(decode_upright(data, self._max_pixels))
        prediction = self._predictor.predict_image(image)
        mask = encoded(mask_image(prediction.mask), "PNG")
        elapsed = (time.perf_counter() - start) * 1000
        return Found(image.size, mask, prediction.confidence, prediction.coverage, elapsed)
