"""Validation: how good a network is on pictures it does not learn from, at the network's size, after each epoch."""

from typing import Any, Final

import torch
from lightning_fabric import Fabric
from torch import nn

from wms_ml.cache import Decoded
from wms_ml.losses import LOSSES
from wms_ml.recipe import Recipe

METRICS: Final = ("validation_loss", "dice", "iou", "pixel_accuracy")


@torch.no_grad()
def validate(network: nn.Module, side: Decoded, recipe: Recipe, fabric: Fabric) -> dict[str, float]:
    """Means of `METRICS` over the pictures, shared out among the processes."""
    training = network.training
    network.eval()
    mine = range(fabric.global_rank, len(side), fabric.world_size)
    total = torch.zeros(len(METRICS), dtype=torch.float64, device=fabric.device)
    for start in range(0, len(mine), recipe.batch_size):
        pictures, masks = (
            torch.from_numpy(part).to(fabric.device) for part in side.gather(mine[start : start + recipe.batch_size])
        )
        with fabric.autocast():
            logits = network(pictures)
        total += _rows(logits.float(), masks, recipe.loss).sum(0, dtype=torch.float64)
    network.train(training)
    means: Any = fabric.all_reduce(total, reduce_op="sum")
    return dict(zip(METRICS, (means / len(side)).tolist(), strict=True))


def _rows(logits: torch.Tensor, truth: torch.Tensor, loss: str) -> torch.Tensor:
    """Loss, Dice, IoU and pixel accuracy of each picture: float32 (N, 4)."""
    found, real = logits > 0, truth.bool()
    both = (found & real).sum((1, 2)).float()
    total = (found.sum((1, 2)) + real.sum((1, 2))).float()
    union = total - both
    dice = torch.where(total > 0, 2 * both / total.clamp(min=1), torch.ones_like(total))
    iou = torch.where(union > 0, both / union.clamp(min=1), torch.ones_like(total))
    accuracy = (found == real).float().mean((1, 2))
    return torch.stack([LOSSES[loss](logits, truth.float()), dice, iou, accuracy], 1)
