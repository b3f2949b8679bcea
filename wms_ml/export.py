"""Export: the trained network as one ONNX file that must say the same as torch does.

Served as int8, the file is another model, a little: that file is what evaluation scores, the gate judges and the
service loads, and how far it is from float32 is stated beside it.
"""

import json
import logging
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from wms_ml.arrays import PREPROCESSING
from wms_ml.cache import Decoded
from wms_ml.errors import TrainingError
from wms_ml.files import digest_of, whole
from wms_ml.network import Segmenter
from wms_ml.predictor import METADATA_KEY, Predictor
from wms_ml.recipe import Recipe

TOLERANCE: Final = 1e-3
"""Largest difference of a probability allowed between torch and ONNX; float32 sums in other orders differ near 1e-5."""


class _Probabilities(nn.Module):
    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.network(pictures).sigmoid()


def export(
    network: Segmenter, recipe: Recipe, out: Path, sides: tuple[Decoded, Decoded] | None = None
) -> dict[str, Any]:
    """Write `model.onnx` and `weights.pt` into `out`, each whole or not at all.

    Args:
        network: what was trained.
        recipe: how, and what it is served as.
        out: an existing folder.
        sides: pairs trained on and validated on, at the recipe's size; int8 needs them.

    Returns:
        `model` (content hash, `sha256:...`), `onnx_difference` (largest difference of a probability from torch, in
        float32) and, served as int8, `int8_agreement` of `wms_ml.quantise`.

    Raises:
        TrainingError: the exported model says something else than torch, or in int8 something else altogether.
    """
    network = network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with whole(out / "weights.pt") as part:
        torch.save(network.state_dict(), part)
    with whole(out / "model.onnx") as part:
        _write_onnx(network, recipe, part)
        difference = _difference(network, part, recipe.size)
        if not difference <= TOLERANCE:
            raise TrainingError(f"the exported model differs from torch by {difference:.2g}, more than {TOLERANCE}")
        stated = {"onnx_difference": difference} | (_quantised(part, sides) if recipe.served_as == "int8" else {})
    return {"model": digest_of(out / "model.onnx"), **stated}


def _quantised(model: Path, sides: tuple[Decoded, Decoded] | None) -> dict[str, Any]:
    from wms_ml.quantise import quantise

    if sides is None:
        raise TrainingError("a model is served as int8 only with pictures to take ranges from: give `sides`")
    return quantise(model, *sides)


def _write_onnx(network: Segmenter, recipe: Recipe, path: Path) -> None:
    import onnx

    example = torch.zeros(2, recipe.size, recipe.size, 3, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Probabilities(network).eval(),
            (example,),
            str(path),
            input_names=["pictures"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("pictures_per_batch")},),
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    stated = {
        "preprocessing": PREPROCESSING,
        "architecture": recipe.architecture,
        "encoder": recipe.encoder,
        "size": recipe.size,
        "served_as": recipe.served_as,
    }
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(stated)})
    onnx.save(model, path)


def _difference(network: Segmenter, path: Path, size: int) -> float:
    pictures = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures)).sigmoid().numpy()
    return float(np.abs(Predictor(path).probabilities(pictures) - expected).max())
