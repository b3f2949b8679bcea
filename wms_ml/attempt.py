"""One training attempt: network, optimiser, schedule and where they stand, with a checkpoint after every epoch."""

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel

from wms_ml.augment import Augmenter
from wms_ml.errors import TrainingError
from wms_ml.files import whole, write_whole
from wms_ml.history import best_row
from wms_ml.network import Segmenter, build
from wms_ml.recipe import Recipe
from wms_ml.reporting import bar

AVERAGING: Final = 0.97
"""Weight of the past in the running average of the weights, which is what is validated and exported: a horizon of
about 33 steps smooths the jumps from step to step that a small validation side would otherwise pick its best from."""

Side = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Pictures uint8 (N, S, S, 3) and masks uint8 (N, S, S) of 0/1."""


def loss_of(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy plus soft Dice loss (Milletari 2016) of float32 (N, S, S); the mean over pictures."""
    chance = logits.sigmoid()
    overlap = 2 * (chance * truth).sum((1, 2)) + 1
    dice = overlap / (chance.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return binary_cross_entropy_with_logits(logits, truth) + (1 - dice).mean()


def _towards(average: torch.Tensor, now: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
    """Exponential moving average that forgets faster at first, when the weights still travel; counters are copied."""
    if not average.is_floating_point():
        return now
    kept = min(AVERAGING, (1 + int(steps)) / (10 + int(steps)))
    return torch.lerp(average, now, 1 - kept)


class Attempt:
    """The state of a training after `epoch` epochs; loads the checkpoint in `out` when there is one.

    Attributes:
        epoch: epochs done.
        history: one row of metrics an epoch.
    """

    def __init__(self, recipe: Recipe, train: Side, validation: Side, out: Path) -> None:
        self._recipe, self._train, self._validation, self._out = recipe, train, validation, out
        torch.manual_seed(recipe.seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        network = build(recipe.architecture, recipe.encoder, recipe.encoder_weights or None)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimiser = torch.optim.AdamW(self._network.parameters(), lr=recipe.learning_rate)
        self._schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(self._optimiser, "max", factor=0.5, patience=2)
        self._augment = Augmenter()
        self._averaged = AveragedModel(self._network, avg_fn=_towards, use_buffers=True)
        self._best: dict[str, torch.Tensor] = {}
        self.epoch = 0
        self.history: list[dict[str, Any]] = []
        self._resume()

    @property
    def finished(self) -> bool:
        """All epochs are done, or `patience` of them brought no better validation score."""
        if self.epoch >= self._recipe.epochs:
            return True
        return bool(self.history) and self.epoch - best_row(self.history)["epoch"] >= self._recipe.patience

    def run_epoch(self) -> dict[str, Any]:
        """Train one epoch and validate.

        Returns:
            epoch, loss, validation_loss, dice, iou, pixel_accuracy (means over pictures at network size),
            learning_rate.

        Raises:
            TrainingError: the loss is no number.
        """
        # Seeded by the epoch, not carried over: an epoch after a resume draws what it would have drawn.
        torch.manual_seed(self._recipe.seed * 100_003 + self.epoch + 1)
        loss = self._pass_over_training()
        if not math.isfinite(loss):
            raise TrainingError(f"the loss became {loss} in epoch {self.epoch + 1}: lower WMS_TRAIN_LEARNING_RATE")
        metrics = self._validate()
        learning_rate = self._optimiser.param_groups[0]["lr"]
        self._schedule.step(metrics["dice"])
        return {"epoch": self.epoch + 1, "loss": loss, **metrics, "learning_rate": learning_rate}

    def commit_epoch(self, row: dict[str, Any]) -> None:
        """Make an epoch count: checkpoint first, then the line in `history.jsonl`."""
        self.epoch = row["epoch"]
        self.history.append(row)
        if best_row(self.history) is row:
            self._best = {name: value.clone() for name, value in self._averaged.module.state_dict().items()}
        with whole(self._out / "checkpoint.pt") as part:
            torch.save(self._state(), part)
        self._write_history()

    def best_network(self) -> Segmenter:
        """The network of the epoch with the best validation Dice, in evaluation mode."""
        self._network.load_state_dict(self._best)
        return self._network.eval()

    def _pass_over_training(self) -> float:
        pictures, masks = self._train
        order = torch.randperm(len(pictures)).tolist()
        size = self._recipe.batch_size
        self._network.train()
        losses = []
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        if len(batches) > 1 and len(batches[-1]) == 1:  # batch normalisation needs two
            batches[-2:] = [batches[-2] + batches[-1]]
        with bar(len(batches), f"epoch {self.epoch + 1}/{self._recipe.epochs}") as progress:
            for batch in batches:
                losses.append(self._step(*self._batch(pictures[batch], masks[batch])))
                progress.set_postfix(loss=f"{losses[-1]:.3f}")
                progress.update()
        return float(np.mean(losses))

    def _batch(self, pictures: NDArray[np.uint8], masks: NDArray[np.uint8]) -> tuple[torch.Tensor, torch.Tensor]:
        changed = [
            self._augment(torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(mask))
            for picture, mask in zip(pictures, masks, strict=True)
        ]
        return torch.stack([picture.permute(1, 2, 0) for picture, _ in changed]), torch.stack([m for _, m in changed])

    def _step(self, pictures: torch.Tensor, masks: torch.Tensor) -> float:
        self._optimiser.zero_grad(set_to_none=True)
        loss = loss_of(self._network(pictures), masks.float())
        loss.backward()
        self._optimiser.step()
        self._averaged.update_parameters(self._network)
        return loss.item()

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        pictures, masks = self._validation
        network = self._averaged.eval()
        rows = []
        for start in range(0, len(pictures), self._recipe.batch_size):
            chunk = slice(start, start + self._recipe.batch_size)
            truth = torch.from_numpy(masks[chunk])
            logits = network(torch.from_numpy(pictures[chunk]))
            rows.append(_metrics(logits, truth))
        means = torch.cat(rows).mean(0).tolist()
        return dict(zip(("validation_loss", "dice", "iou", "pixel_accuracy"), means, strict=True))

    def _state(self) -> dict[str, Any]:
        return {
            "recipe": self._recipe.digest(),
            "epoch": self.epoch,
            "history": self.history,
            "network": self._network.state_dict(),
            "averaged": self._averaged.state_dict(),
            "best": self._best,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def _resume(self) -> None:
        path = self._out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["recipe"] != self._recipe.digest():
            raise TrainingError(f"{path} belongs to another recipe: give each recipe its own --out folder")
        self._network.load_state_dict(state["network"])
        self._averaged.load_state_dict(state["averaged"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self._best, self.epoch, self.history = state["best"], state["epoch"], state["history"]
        self._write_history()

    def _write_history(self) -> None:
        write_whole(self._out / "history.jsonl", "".join(json.dumps(row) + "\n" for row in self.history))


def _metrics(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Loss, Dice, IoU and pixel accuracy of each picture: float32 (N, 4)."""
    found = logits > 0
    real = truth.bool()
    both = (found & real).sum((1, 2)).float()
    total = (found.sum((1, 2)) + real.sum((1, 2))).float()
    dice = torch.where(total > 0, 2 * both / total.clamp(min=1), torch.ones_like(total))
    union = total - both
    iou = torch.where(union > 0, both / union.clamp(min=1), torch.ones_like(total))
    accuracy = (found == real).float().mean((1, 2))
    losses = torch.stack([loss_of(logits[i : i + 1], truth[i : i + 1].float()) for i in range(len(logits))])
    return torch.stack([losses, dice, iou, accuracy], 1)
