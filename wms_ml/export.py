"""Export: the trained network as one ONNX file that must say the same as torch does."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from wms_ml.arrays import PREPROCESSING
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


def export(network: Segmenter, recipe: Recipe, out: Path) -> dict[str, Any]:
    """Write `model.onnx` and `weights.pt` into `out`, each whole or not at all.

    Returns:
        `model` (content hash, `sha256:...`) and `onnx_difference` (largest difference of a probability from torch).

    Raises:
        TrainingError: the exported model says something else than torch.
    """
    network = network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with whole(out / "weights.pt") as part:
        torch.save(network.state_dict(), part)
    with whole(out / "model.onnx") as part:
        _write_onnx(network, recipe, part)
    difference = _difference(network, out / "model.onnx", recipe.size)
    if not difference <= TOLERANCE:
        raise TrainingError(f"the exported model differs from torch by {difference:.2g}, more than {TOLERANCE}")
    return {"model": digest_of(out / "model.onnx"), "onnx_difference": difference}


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
    }
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(stated)})
    onnx.save(model, path)


def _difference(network: Segmenter, path: Path, size: int) -> float:
    pictures = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures)).sigmoid().numpy()
    return float(np.abs(Predictor(path).probabilities(pictures) - expected).max())
