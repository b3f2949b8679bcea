"""Augmentation: the variety of phone photos, made from the pictures at hand.

Flips, quarter turns of the phone, shifts, small rotations, light and colour: the set of the system this one succeeds.
"""

import torch

from wms_ml.network import import_torchvision

import_torchvision()

from torchvision import tv_tensors  # noqa: E402 - the import above must come first
from torchvision.transforms import v2  # noqa: E402


class Augmenter:
    """Random changes to one picture and its mask together; draws from torch's global generator."""

    def __init__(self) -> None:
        self._pipeline = v2.Compose(
            [
                v2.RandomHorizontalFlip(0.5),
                v2.RandomVerticalFlip(0.2),
                v2.RandomApply([v2.RandomRotation((90, 90))], 0.25),
                v2.RandomApply([v2.RandomAffine(25, translate=(0.1, 0.1), scale=(0.8, 1.25))], 0.7),
                v2.RandomApply([v2.ColorJitter(0.3, 0.3, 0.3, 0.02)], 0.7),
                v2.RandomApply([v2.GaussianBlur(3, (0.1, 1.5))], 0.15),
            ]
        )

    def __call__(self, picture: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One changed picture uint8 (3, S, S) and its mask uint8 (S, S), both of the shapes given."""
        changed, changed_mask = self._pipeline(tv_tensors.Image(picture), tv_tensors.Mask(mask))
        return torch.Tensor(changed), torch.Tensor(changed_mask)
