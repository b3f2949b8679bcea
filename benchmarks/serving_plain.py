"""Picture in, mask out as somebody writes it who serves a model for the first time: Pillow, numpy, onnxruntime.

The servers that this platform's own is compared with run it. It needs nothing of the platform, and does the same work
as its predictor: the upright picture squeezed to the network's square, the probabilities stretched to the picture's
size, a PNG of what is 0.5 or more.
"""

import io
import os
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

MODEL = "BENCHMARK_MODEL"
"""Variable that names the ONNX file, for programs that a server starts."""


class Plain:
    """One loaded model."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        """Load `model`; `threads` are onnxruntime's for each picture."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._size = int(self._session.get_inputs()[0].shape[1])

    def mask(self, picture: Image.Image) -> Image.Image:
        """The mask of a picture, mode L, 0 or 255, at the size of the upright picture."""
        upright, small = network_input(picture, self._size)
        return drawn(self._session.run(None, {"pictures": small[None]})[0][0], upright.size)

    def png(self, data: bytes) -> bytes:
        """That mask as a PNG file's content, from a picture file's content."""
        return as_png(self.mask(Image.open(io.BytesIO(data))))


def from_environment() -> Plain:
    """The model that the benchmark chose; one thread a picture, as each worker process has one core."""
    return Plain(Path(os.environ[MODEL]))


def network_input(picture: Image.Image, size: int) -> tuple[Image.Image, NDArray[np.uint8]]:
    """The picture upright, and the network's view of it: uint8 (size, size, 3)."""
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    return upright, np.array(upright.resize((size, size), Image.Resampling.BILINEAR))


def drawn(probabilities: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """Network probabilities (S, S) as a mask of (width, height) pixels."""
    own = Image.fromarray(probabilities).resize(size, Image.Resampling.BILINEAR)
    return Image.fromarray((np.asarray(own) >= 0.5).astype(np.uint8) * 255)


def as_png(mask: Image.Image) -> bytes:
    """The mask as a file's content."""
    stream = io.BytesIO()
    mask.save(stream, "PNG")
    return stream.getvalue()
