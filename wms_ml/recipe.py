"""The recipe: everything that decides what a training makes of its data. Same recipe, same data, same model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from wms_ml.errors import SettingsError

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "loss": ("bce+dice", "bce", "dice", "focal+dice"),
    "schedule": ("cosine", "plateau"),
    "augmentation": ("mild", "strong", "none"),
    "precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "served_as": ("float32", "int8"),
}

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "source": {
        "architecture": "unet",
        "encoder": "resnet34",
        "size": 512,
        "start_scale": 1.0,
        "epochs": 50,
        "patience": 5,
        "schedule": "plateau",
        "loss": "bce",
        "augmentation": "mild",
        "averaging": 0.0,
    }
}
"""Recipes by name; what one does not name comes from the settings. `source`: that of the system this one succeeds."""


def preset(name: str) -> Mapping[str, Any]:
    """The parts of a recipe that a preset names; of the empty name none.

    Raises:
        SettingsError: there is no such preset.
    """
    if name and name not in PRESETS:
        raise SettingsError(f"preset is '{name}': it must be one of {', '.join(PRESETS)}")
    return PRESETS.get(name, {})


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of one training attempt; docs/training.md says how the defaults were found.

    Attributes:
        architecture: a segmentation-models-pytorch architecture, for example `unet`.
        encoder: a segmentation-models-pytorch encoder, for example `resnet18`.
        encoder_weights: `auto`: ImageNet's for an encoder whose weights come as a package (`wms_ml.pretrained`),
            random ones for others; `imagenet`: ImageNet's, downloaded if need be; empty: random ones.
        size: side of the square network input, pixels; a multiple of 32.
        start_scale: share of `size`, to a multiple of 32 pixels, that the budget's first `start_share` trains at, when
            coarse features are learnt; 1: all of it.
        start_share: share of the budget, 0 to 1, that trains on smaller pictures.
        epochs: passes over the training pictures at most.
        minutes: time budget; the epoch under way when it ends is the last one. 0: none.
        patience: epochs without a better validation Dice, at full size, after which the attempt ends.
        batch_size: pictures a step, over all processes.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's.
        schedule: `cosine`: up over the first steps, then down to nothing at the budget's end (Loshchilov 2017);
            `plateau`: halved when validation Dice stops rising.
        loss: of `wms_ml.losses`.
        augmentation: `mild` (as in the system that this one succeeds), `strong` or `none`.
        averaging: weight of the past in the running average of the weights, which is validated and exported (Polyak
            1992); 0: the weights themselves.
        precision: `auto`: mixed where the device gains from it, else full.
        compile: compile the network (torch.compile): a minute at the start, quicker steps on a GPU.
        served_as: `float32`, or `int8`: the exported model, which is scored and served, computes in 8-bit integers.
        seed: of the weights, the order and the augmentation.
    """

    architecture: str = "unet"
    encoder: str = "tu-tf_efficientnet_lite0"
    encoder_weights: str = "auto"
    size: int = 256
    start_scale: float = 0.5
    start_share: float = 0.5
    epochs: int = 20
    minutes: float = 0.0
    patience: int = 8
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    schedule: str = "cosine"
    loss: str = "bce+dice"
    augmentation: str = "mild"
    averaging: float = 0.97
    precision: str = "auto"
    compile: bool = False
    served_as: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values no training can work with.

        Raises:
            SettingsError: naming the value and what it may be.
        """
        if self.size % 32 or self.size < 32:
            raise SettingsError(f"size is {self.size}: it must be a multiple of 32 pixels, for example 256 or 512")
        for name in ("epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}: it must be 1 or more")
        for name, lowest, highest in _RANGES:
            if not lowest <= getattr(self, name) <= highest:
                raise SettingsError(f"{name} is {getattr(self, name)}: it must be between {lowest} and {highest}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise SettingsError(f"{name} is '{getattr(self, name)}': it must be one of {', '.join(known)}")

    def digest(self) -> str:
        """12 hex digits that name this recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def size_at(self, progress: float) -> int:
        """Side of the network's input when `progress` (0 to 1) of the budget is spent."""
        if progress >= self.start_share or progress + 1 / self.epochs >= 1:  # the last epoch is at full size
            return self.size
        return max(32, round(self.size * self.start_scale / 32) * 32)

    @property
    def sizes(self) -> set[int]:
        """Every side that the attempt comes by."""
        return {self.size_at(0), self.size}


_RANGES: Final = (
    ("learning_rate", 1e-9, 1.0),
    ("weight_decay", 0.0, 1.0),
    ("averaging", 0.0, 0.9999),
    ("minutes", 0.0, 100_000.0),
    ("start_scale", 0.1, 1.0),
    ("start_share", 0.0, 0.95),
)
