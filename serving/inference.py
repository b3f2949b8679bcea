"""The model at work on one picture: decode, infer, draw. Everything here takes its time, and runs in a thread.

Pictures are never put together into one call of the model: on a processor two at once cost as much time as one after
the other (0.98 to 1.05 times as measured, U-Net, 256 pixels), and the first would have to wait for the second.
"""

import time
from dataclasses import dataclass

from PIL import Image

from serving.mask_png import mask_png
from wms_ml.predictor import Prediction, Predictor
from wms_ml.reduced import Turns, Upright, decode, enough_for
from wms_ml.render import encoded
from wms_ml.window_shape import Box, Point, shape_of, straightened


@dataclass(frozen=True, slots=True)
class Found:
    """What the model says of one picture.

    Attributes:
        picture: the picture it was found in.
        prediction: what the model says of each pixel.
        mask: PNG, mode L, of the picture's own size: 255 inside the reading window, 0 outside.
        polygon: rim of the largest area; empty when there is none, or nobody asked for it.
        box: the smallest rotated rectangle around the polygon; None when that is empty.
        crop: JPEG of the box cut out and straightened; empty when there is none, or nobody asked for it.
        decoded: milliseconds of reading the picture.
        inferred: milliseconds of asking the model.
        drawn: milliseconds of making mask, polygon, box and crop.
    """

    picture: Upright
    prediction: Prediction
    mask: bytes
    polygon: list[Point]
    box: Box | None
    crop: bytes
    decoded: float
    inferred: float
    drawn: float


class Inference:
    """One loaded, warm model. Several threads may use it at a time."""

    def __init__(self, predictor: Predictor, max_pixels: int, decode_whole: bool = False) -> None:
        """Run the model once: the first run allocates, and no caller should wait for that.

        Args:
            predictor: the loaded model.
            max_pixels: largest picture, width times height.
            decode_whole: decode every picture whole, though the model needs less.
        """
        self._predictor = predictor
        self._max_pixels = max_pixels
        self._turns = Turns()
        self._at_least = None if decode_whole else enough_for(self._predictor.size)
        self.find(encoded(Image.new("RGB", (self._predictor.size, self._predictor.size)), "JPEG"), crop=True)

    def find(self, data: bytes, crop: bool, shape: bool = True) -> Found:
        """The reading window in one picture file's content.

        Args:
            data: the file's content.
            crop: cut the window out and straighten it.
            shape: work out polygon and box; without them there is no crop either.

        Raises:
            PictureError: it is not a picture we can read, or has too many pixels.
        """
        with self._turns.of(data, self._max_pixels):
            return self._found(data, crop and shape, shape)

    def _found(self, data: bytes, crop: bool, shape: bool) -> Found:
        start = time.perf_counter()
        picture = decode(data, self._max_pixels, None if crop else self._at_least)
        decoded = time.perf_counter()
        prediction = self._predictor.predict_upright(picture)
        inferred = time.perf_counter()
        mask = mask_png(prediction.mask)
        polygon, box = shape_of(prediction.probabilities, picture.size) if shape else ([], None)
        window = encoded(straightened(picture.image, box), "JPEG") if crop and box else b""
        drawn = time.perf_counter()
        steps = ((decoded - start) * 1000, (inferred - decoded) * 1000, (drawn - inferred) * 1000)
        return Found(picture, prediction, mask, polygon, box, window, *steps)
