"""One training attempt: network, optimiser and where they stand, with a checkpoint after every epoch.

Everything that decides an epoch is in the checkpoint or follows from the recipe and the epoch's number, so an attempt
that was cut off goes on as if it had not been.
"""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.optim.swa_utils import AveragedModel

from wms_ml.batches import Batch, Epoch, Share
from wms_ml.cache import Decoded
from wms_ml.devices import shared_normalisation
from wms_ml.errors import TrainingError
from wms_ml.files import digest_of, whole, write_whole
from wms_ml.history import best_row
from wms_ml.losses import LOSSES
from wms_ml.network import Segmenter, build, load_weights
from wms_ml.recipe import Recipe
from wms_ml.reporting import Reporter, steps
from wms_ml.schedule import learning_rate, progress
from wms_ml.validation import validate

Sides = Mapping[int, tuple[Decoded, Decoded]]
"""By network size: the pairs to train on and those to validate on."""


class Attempt:
    """The state of a training after `len(history)` epochs; loads the checkpoint in `out` when there is one.

    Attributes:
        history: one row of metrics an epoch.
    """

    def __init__(
        self, recipe: Recipe, sides: Sides, out: Path, fabric: Fabric, report: Reporter, init: Path | None = None
    ) -> None:
        self._recipe, self._sides, self._out, self._fabric, self._report = recipe, sides, out, fabric, report
        self._share = Share(fabric.global_rank, fabric.world_size)
        torch.manual_seed(recipe.seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        network = build(recipe.architecture, recipe.encoder, "" if init else recipe.encoder_weights)
        if init:
            load_weights(network, init)
        self._identity = {"recipe": recipe.digest(), "init": digest_of(init) if init else ""}
        shared_normalisation(network, fabric).to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._raw = network
        self._averaged = AveragedModel(network, avg_fn=self._towards, use_buffers=True)
        optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
        if recipe.compile:
            network.compile()
        self._network, self._optimiser = fabric.setup(network, optimiser)
        self._best: dict[str, torch.Tensor] = {}
        self.history: list[dict[str, Any]] = []
        self._resume()

    @property
    def finished(self) -> bool:
        """The budget is used up, or `patience` epochs at full size brought no better validation score."""
        if not self.history or self.history[-1]["size"] != self._recipe.size:
            return False
        waited = len(self.history) - best_row(self.history)["epoch"]
        return progress(self._recipe, self.history) >= 1 or waited >= self._recipe.patience

    def run_epoch(self) -> dict[str, Any]:
        """Train one epoch, validate, and make it count.

        Returns:
            epoch, size, loss, validation_loss, dice, iou, pixel_accuracy (means over pictures at network size),
            learning_rate (at the end), seconds, waiting (share of the training time spent waiting for pictures).

        Raises:
            TrainingError: the loss is no number.
        """
        began = time.monotonic()
        size = self._recipe.size_at(progress(self._recipe, self.history))
        train, validation = self._sides[size]
        loss, waiting = self._pass_over(train)
        if not math.isfinite(loss):
            epoch = len(self.history) + 1
            raise TrainingError(f"the loss became {loss} in epoch {epoch}: lower WMS_TRAIN_LEARNING_RATE")
        metrics = validate(self._kept, validation, self._recipe, self._fabric)
        row = {
            "epoch": len(self.history) + 1,
            "size": size,
            "loss": loss,
            **metrics,
            "learning_rate": self._optimiser.param_groups[0]["lr"],
            "seconds": round(time.monotonic() - began, 2),
            "waiting": waiting,
        }
        row = self._fabric.broadcast(row)  # clocks differ, and the budget may be in minutes
        self._commit(row)
        return row

    def best_network(self) -> Segmenter:
        """The network of the epoch with the best validation Dice, in evaluation mode, on the CPU."""
        network = build(self._recipe.architecture, self._recipe.encoder)
        network.load_state_dict(self._best)
        return network.eval()

    @property
    def _kept(self) -> torch.nn.Module:
        """What is validated and exported."""
        return self._averaged.module if self._recipe.averaging else self._raw

    def _pass_over(self, side: Decoded) -> tuple[float, float]:
        """Mean loss, and the share of the time that was spent waiting for pictures."""
        number = len(self.history) + 1
        seed = self._recipe.seed * 100_003 + number  # by the epoch, not carried over: what a resumed one draws too
        torch.manual_seed(seed)
        epoch = Epoch(side, self._recipe.batch_size, self._recipe.augmentation, seed, self._share)
        self._network.train()
        losses, pictures, waiting, began = 0.0, 0, 0.0, time.monotonic()
        with steps(len(epoch), f"epoch {number}/{self._recipe.epochs}", self._report) as step:
            asked = time.monotonic()
            for index, batch in enumerate(epoch.on(self._fabric.device)):
                waiting += time.monotonic() - asked
                self._set_rate(index / len(epoch))
                loss = self._step(batch)
                losses, pictures = losses + loss * batch.together, pictures + batch.together
                step(f"loss {losses / pictures:.3f}")
                asked = time.monotonic()
        return losses / pictures, waiting / (time.monotonic() - began)

    def _set_rate(self, part: float) -> None:
        rate = learning_rate(self._recipe, self.history, part)
        for group in self._optimiser.param_groups:
            group["lr"] = rate

    def _step(self, batch: Batch) -> float:
        """One step; the mean loss over the pictures of all processes."""
        self._optimiser.zero_grad(set_to_none=True)
        costs = LOSSES[self._recipe.loss](self._network(batch.pictures), batch.masks)
        # Processes' gradients are averaged: scaled like this the average is the mean over all pictures.
        loss = costs.sum() * self._share.processes / batch.together
        self._fabric.backward(loss)
        self._optimiser.step()
        if self._recipe.averaging:
            self._averaged.update_parameters(self._raw)
        mean = self._fabric.all_reduce(loss.detach(), reduce_op="mean")
        return float(mean)  # type: ignore[arg-type]

    def _towards(self, average: torch.Tensor, now: torch.Tensor, taken: torch.Tensor | int) -> torch.Tensor:
        """Exponential moving average that forgets faster at first, when the weights still travel; counts are copied."""
        if not average.is_floating_point():
            return now
        kept = min(self._recipe.averaging, (1 + int(taken)) / (10 + int(taken)))
        return torch.lerp(average, now, 1 - kept)

    def _commit(self, row: dict[str, Any]) -> None:
        """Checkpoint first, then the line in `history.jsonl`."""
        self.history.append(row)
        if best_row(self.history) is row:
            self._best = {name: value.cpu().clone() for name, value in self._kept.state_dict().items()}
        if self._fabric.is_global_zero:
            with whole(self._out / "checkpoint.pt") as part:
                torch.save(self._state(), part)
            self._write_history()

    def _state(self) -> dict[str, Any]:
        return {
            **self._identity,
            "history": self.history,
            "network": self._raw.state_dict(),
            "averaged": self._averaged.state_dict() if self._recipe.averaging else {},
            "best": self._best,
            "optimiser": self._optimiser.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
        }

    def _resume(self) -> None:
        path = self._out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self._fabric.device, weights_only=True)
        if any(state[name] != value for name, value in self._identity.items()):
            raise TrainingError(f"{path} belongs to another recipe: give each recipe its own --out folder")
        self._raw.load_state_dict(state["network"])
        if self._recipe.averaging:
            self._averaged.load_state_dict(state["averaged"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        self._best, self.history = state["best"], state["history"]
        if self._fabric.is_global_zero:
            self._write_history()

    def _write_history(self) -> None:
        write_whole(self._out / "history.jsonl", "".join(json.dumps(row) + "\n" for row in self.history))
