"""A model in 8-bit integers: a quarter of the size, about twice as quick, and no longer quite the same model.

Weights and activations become integers (onnxruntime's static quantisation, QDQ form). The range of each activation is
that seen on training pictures. Weights keep 7 bits: with 8, processors without VNNI overflow and give other answers
than the one that the model was scored on.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from wms_ml.cache import Decoded
from wms_ml.errors import TrainingError
from wms_ml.files import whole
from wms_ml.predictor import THRESHOLD, Predictor

CALIBRATION: Final = 64
"""Training pictures that ranges are taken from, evenly over all of them."""

LEAST_AGREEMENT: Final = 0.9
"""Mean Dice against the masks of the model in float32 below which the integers are refused."""

_QUANTISED: Final = ("Conv", "Clip", "Relu", "Add", "Concat", "Resize")
"""What a network spends its time in; the first steps on a picture and the last one to a probability stay float32."""


class _Pictures:
    """Training pictures one at a time, as the library asks for them."""

    def __init__(self, train: Decoded) -> None:
        rows = np.linspace(0, len(train) - 1, min(CALIBRATION, len(train)))
        self._batches = one_by_one(train, [int(row) for row in rows])

    def get_next(self) -> Mapping[str, NDArray[np.uint8]] | None:
        """The next batch by the name of the model's input; None at the end."""
        picture = next(self._batches, None)
        return None if picture is None else {"pictures": picture}


def one_by_one(side: Decoded, rows: list[int]) -> Iterator[NDArray[np.uint8]]:
    """Pictures as batches of one: uint8 (1, S, S, 3)."""
    for row in rows:
        yield np.ascontiguousarray(side.gather([row])[0])


def quantise(model: Path, train: Decoded, validation: Decoded) -> dict[str, Any]:
    """Put 8-bit integers in the place of a float32 model's file.

    The same model and training pictures give the same file.

    Args:
        model: an ONNX file of `wms_ml.export`; left as it is when this raises.
        train: pictures that ranges are taken from.
        validation: pictures that both models are compared on.

    Returns:
        `int8_agreement`: mean Dice, 0 to 1, of the masks in integers against those in float32, at network size on
        the validation pictures.

    Raises:
        TrainingError: they have too little in common.
    """
    with TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        _write_integers(model, target, train)
        agreement = _agreement(model, target, validation)
        if not agreement >= LEAST_AGREEMENT:
            raise TrainingError(
                f"in int8 the model marks other windows (Dice {agreement:.3f} against its own in float32, the least "
                f"is {LEAST_AGREEMENT}): train longer, or set WMS_TRAIN_SERVED_AS=float32"
            )
        with whole(model) as part:
            shutil.copyfile(target, part)
    return {"int8_agreement": agreement}


def _write_integers(model: Path, target: Path, train: Decoded) -> None:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read on import; without it the library reports to its maker
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = target.with_name("prepared.onnx")
    quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(target),
        _Pictures(train),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_QUANTISED),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[_head(prepared)],
    )


def _head(model: Path) -> str:
    """Name of the last convolution, which makes logits of features: few sums, and the answer hangs on each."""
    names = [node.name for node in onnx.load(model).graph.node if node.op_type == "Conv"]
    return names[-1]


def _agreement(plain: Path, quantised: Path, side: Decoded) -> float:
    models = Predictor(plain), Predictor(quantised)
    dice = []
    for picture in one_by_one(side, list(range(len(side)))):
        first, second = (model.probabilities(picture) >= THRESHOLD for model in models)
        marked = int(first.sum()) + int(second.sum())
        dice.append(2 * int((first & second).sum()) / marked if marked else 1.0)
    return float(np.mean(dice))
