"""The recipe: everything that decides what a training makes of its data. Same recipe, same data, same model."""

import hashlib
import json
from dataclasses import asdict, dataclass

from wms_ml.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of one training attempt.

    Attributes:
        architecture: a segmentation-models-pytorch architecture, for example `unet`.
        encoder: a segmentation-models-pytorch encoder, for example `resnet18`.
        encoder_weights: `imagenet`, or empty for random weights.
        size: side of the square network input, pixels; a multiple of 32.
        epochs: passes over the training pictures at most.
        patience: epochs without a better validation Dice after which the attempt ends.
        batch_size: pictures a step.
        learning_rate: AdamW's, at the start; halved when validation stops improving.
        seed: of the weights, the order and the augmentation.
    """

    architecture: str = "unet"
    encoder: str = "resnet18"
    encoder_weights: str = ""
    size: int = 512
    epochs: int = 50
    patience: int = 5
    batch_size: int = 8
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values no training can work with.

        Raises:
            SettingsError: naming the value and what it may be.
        """
        if self.size < 32 or self.size % 32:
            raise SettingsError(f"size is {self.size}: it must be a multiple of 32 pixels, for example 256 or 512")
        for name in ("epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}: it must be 1 or more")
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"learning_rate is {self.learning_rate}: it must be between 0 and 1")

    def digest(self) -> str:
        """12 hex digits that name this recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]
