"""The batches of an epoch: which pictures, in which order, changed how, gathered while the step before computes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from wms_ml.augment import STRENGTHS, Changes, apply, draw
from wms_ml.cache import Decoded


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of every batch is this process's: rows `rank`, `rank` + `processes`, and so on."""

    rank: int = 0
    processes: int = 1

    @property
    def rows(self) -> slice:
        """As a slice of a batch."""
        return slice(self.rank, None, self.processes)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one process computes in one step.

    Attributes:
        pictures: (n, S, S, 3), 0 to 255, uint8 or float32.
        masks: float32 (n, S, S) of 0/1.
        together: pictures in this step over all processes.
    """

    pictures: torch.Tensor
    masks: torch.Tensor
    together: int


class Epoch:
    """The batches of one pass over the training pictures; what is random in it comes from `seed` alone."""

    def __init__(self, side: Decoded, batch_size: int, augmentation: str, seed: int, share: Share) -> None:
        self._side, self._share, self._augmentation = side, share, augmentation
        self._generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(side), generator=self._generator).tolist()
        self._batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        # Batch normalisation needs two pictures, and every process at least one.
        if len(self._batches) > 1 and len(self._batches[-1]) < max(2, share.processes):
            self._batches[-2:] = [self._batches[-2] + self._batches[-1]]

    def __len__(self) -> int:
        return len(self._batches)

    def on(self, device: torch.device) -> Iterator[Batch]:
        """The batches in order, on `device`; one is gathered ahead."""
        with ThreadPoolExecutor(1, "gather") as ahead:
            waiting = ahead.submit(self._gather, self._batches[0])
            for index, rows in enumerate(self._batches):
                pictures, masks = waiting.result()
                if index + 1 < len(self._batches):
                    waiting = ahead.submit(self._gather, self._batches[index + 1])
                yield self._changed(pictures.to(device), masks.to(device), len(rows))

    def _gather(self, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        pictures, masks = self._side.gather(rows[self._share.rows])
        return torch.from_numpy(pictures), torch.from_numpy(masks)

    def _changed(self, pictures: torch.Tensor, masks: torch.Tensor, together: int) -> Batch:
        if self._augmentation == "none":
            return Batch(pictures, masks.float(), together)
        # Drawn for the whole batch, whoever computes which part of it.
        changes: Changes = draw(STRENGTHS[self._augmentation], together, self._generator)
        return Batch(*apply(changes[self._share.rows], pictures, masks), together)
