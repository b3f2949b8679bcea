"""Loss functions: how far logits are from a mask. Each is a mean over pictures of what one picture costs."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits and truth (0 or 1), both float32 (N, S, S), to the loss of each picture: float32 (N,)."""

_FOCUS: Final = 2.0


def bce(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, the mean over pixels."""
    return binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((1, 2))


def dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """1 - soft Dice (Milletari 2016), one pixel added above and below so that two empty masks agree."""
    chance = logits.sigmoid()
    overlap = 2 * (chance * truth).sum((1, 2)) + 1
    return 1 - overlap / (chance.sum((1, 2)) + truth.sum((1, 2)) + 1)


def focal(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Focal loss (Lin 2017) with gamma 2 and no class weight, the mean over pixels."""
    entropy = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return ((1 - torch.exp(-entropy)) ** _FOCUS * entropy).mean((1, 2))


def _sum(*parts: Loss) -> Loss:
    return lambda logits, truth: torch.stack([part(logits, truth) for part in parts]).sum(0)


LOSSES: Final[Mapping[str, Loss]] = {
    "bce": bce,
    "dice": dice,
    "bce+dice": _sum(bce, dice),
    "focal+dice": _sum(focal, dice),
}
"""By the names that a recipe may give."""
