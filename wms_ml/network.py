"""The network: a segmentation-models-pytorch model that takes pictures as they come out of the decoder.

Scaling and normalisation are part of the network, so the exported model takes raw uint8 pictures and training and
serving cannot disagree about them.
"""

import importlib
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import torch
from torch import library, nn

from wms_ml.errors import TrainingError
from wms_ml.pretrained import is_shipped, load_shipped

_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)


def import_torchvision() -> ModuleType:
    """Import torchvision beside a torch built without CUDA.

    The published torchvision is built for CUDA only: its compiled operators do not load next to the CPU torch, and its
    own Python code then trips over operators that nobody defined. Defining their signatures lets the Python part, which
    is all we and timm need, import. Call it before anything that imports torchvision.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    for name in ("nms", "qnms"):
        library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")


class Segmenter(nn.Module):
    """Pictures in, logits out: uint8 (N, S, S, 3) to float32 (N, S, S)."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.core = core
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1) * 255)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits; positive inside the reading window."""
        planes = (pictures.permute(0, 3, 1, 2).float() - self.mean) / self.std
        logits: torch.Tensor = self.core(planes)
        return logits[:, 0]


def build(architecture: str, encoder: str, encoder_weights: str = "") -> Segmenter:
    """Build a network by its segmentation-models-pytorch names.

    Args:
        architecture: for example `unet`, `fpn`, `unetplusplus`.
        encoder: for example `resnet18`, `mobilenet_v2`.
        encoder_weights: a recipe's: `auto`, a name of weights such as `imagenet`, or empty for random ones.

    Raises:
        TrainingError: no such architecture, encoder or weights.
    """
    import_torchvision()
    import segmentation_models_pytorch as smp

    shipped = encoder_weights in ("auto", "imagenet") and is_shipped(encoder)
    weights = None if shipped or encoder_weights in ("auto", "") else encoder_weights
    try:
        core = smp.create_model(architecture, encoder, encoder_weights=weights, in_channels=3, classes=1)
    except (KeyError, RuntimeError, OSError) as error:
        raise TrainingError(
            f"cannot build architecture '{architecture}' with encoder '{encoder}' (weights: {encoder_weights}): "
            f"{error}. WMS_TRAIN_ARCHITECTURE, WMS_TRAIN_ENCODER and WMS_TRAIN_ENCODER_WEIGHTS name them"
        ) from error
    if shipped:
        load_shipped(core.encoder, encoder)
    return Segmenter(core)


def load_weights(network: Segmenter, path: Path) -> None:
    """Start a network from the weights of another, as `export` writes them.

    Raises:
        TrainingError: the file is missing or damaged, or its network is another one.
    """
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, TypeError, AttributeError) as error:
        first = str(error).strip().splitlines()[0]
        raise TrainingError(
            f"cannot start from the weights in {path}: {first}. They must be those of the same architecture and encoder"
        ) from error
