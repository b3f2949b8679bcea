"""OpenVINO as this platform uses it: a model file, compiled once, that several threads ask at a time.

Left to itself, OpenVINO chooses its arithmetic by the processor: bfloat16 wherever there is AVX-512, even where that
is emulated and four times slower than float32. Here it is always told. In float32 its masks are those of onnxruntime.
"""

from pathlib import Path
from queue import LifoQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from wms_ml.errors import DataError

if TYPE_CHECKING:
    import openvino

Precision = Literal["float32", "bfloat16"]
"""Of weights, features and products; sums are float32 in both."""

_TYPES: Final[dict[Precision, str]] = {"float32": "f32", "bfloat16": "bf16"}
_NAMES: Final[dict[str, Precision]] = {known: name for name, known in _TYPES.items()}
_PROCESSOR: Final = Path("/proc/cpuinfo")

_FIRST: Final = Lock()
"""Held until a network has run once: OpenVINO for Python sets itself up in its first inference, and two threads in
theirs may wait for each other for ever. Of 25 processes with four such threads, 12 hung."""


class ModelFile:
    """An ONNX file, read and not yet compiled."""

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            DataError: the file is missing, or not an ONNX model.
        """
        from wms_ml.quiet_openvino import openvino

        if not path.is_file():
            raise DataError(f"no model file at {path}")
        self._path = path
        self._core = openvino.Core()
        try:
            self._model = self._core.read_model(path.read_bytes())
        except (RuntimeError, OSError) as error:
            raise DataError(f"{path} is not a readable ONNX model: {_last_line(error)}") from error

    def stated(self, key: str) -> str | None:
        """What the file's metadata has under `key`."""
        place = ["framework", key]
        return str(self._model.get_rt_info(place).astype(str)) if self._model.has_rt_info(place) else None

    def compiled(self, precision: Precision = "float32", threads: int = 0, at_once: int = 1) -> "Network":
        """The network, ready to be asked.

        Args:
            precision: of its arithmetic, on whatever processor this is.
            threads: for each picture; 0: one per core.
            at_once: pictures that may be asked of at a time; whoever comes beyond that waits.

        Raises:
            DataError: it takes no square pictures, answers in another shape, or has operators that are not known.
        """
        from wms_ml.graph import lighten

        wanted: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
            "NUM_STREAMS": at_once,
            "INFERENCE_NUM_THREADS": threads * at_once,
            "ENABLE_CPU_PINNING": False,  # or all processes of a machine might sit on its first cores
        }
        try:
            size = self._model.input(0).partial_shape[1].get_length()
            # With a length left open, kernels would be chosen in the first inferences, by several threads at a time.
            self._model.reshape([1, size, size, 3])
            lighten(self._model)
            with _FIRST:
                return Network(self._core.compile_model(self._model, "CPU", wanted), size, at_once)
        except RuntimeError as error:
            raise DataError(f"{self._path} cannot be run: {_last_line(error)}") from error
        except DataError as error:
            raise DataError(f"{self._path} cannot be used: {error}") from error


class Network:
    """A compiled network. Any number of threads may use it.

    Attributes:
        size: side of the square pictures that it takes, pixels.
        precision: of its arithmetic, as the runtime states it.
    """

    def __init__(self, compiled: "openvino.CompiledModel", size: int, at_once: int) -> None:
        self.size = size
        self.precision: Precision = _NAMES[compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()]
        # The last one used comes first: its memory is in the caches still.
        self._free: LifoQueue[openvino.InferRequest] = LifoQueue()
        for _ in range(at_once):
            self._free.put(compiled.create_infer_request())
        self.run(np.zeros((size, size, 3), np.uint8))

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network says of a picture uint8 (size, size, 3): float32 (size, size), the caller's own.

        Raises:
            DataError: it answers in another shape.
        """
        request = self._free.get()
        try:
            output: NDArray[np.float32] = request.infer([picture[None]], share_inputs=True)[0][0]
        finally:
            self._free.put(request)
        if output.shape != (self.size, self.size):  # an empty answer would be taken for an empty mask
            raise DataError(f"the model answers a picture of {self.size} pixels a side with {output.shape} values")
        return output


def has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16 that OpenVINO gains from.

    Its own list of what a processor can do names bfloat16 where it is emulated, too.
    """
    return _PROCESSOR.is_file() and "avx512_bf16" in _PROCESSOR.read_text().split()


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
