"""The batches of an epoch: every picture once, in an order that the seed alone decides."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pytest
import torch

from wms_ml.batches import Batch, Epoch, Share
from wms_ml.cache import Decoded

CPU = torch.device("cpu")


class Numbered(Decoded):
    """Pictures of 8 x 8 pixels that hold their number."""

    def __init__(self, count: int) -> None:
        super().__init__([], 8)
        self._count = count

    def __len__(self) -> int:
        return self._count

    def gather(self, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        pictures = np.stack([np.full((8, 8, 3), row, np.uint8) for row in rows])
        return pictures, np.ones((len(rows), 8, 8), np.uint8)


def epoch(count: int, seed: int = 1, share: Share | None = None, augmentation: str = "none") -> list[Batch]:
    return list(Epoch(Numbered(count), 4, augmentation, seed, share or Share()).on(CPU))


def numbers(batches: list[Batch]) -> list[list[int]]:
    return [batch.pictures[:, 0, 0, 0].int().tolist() for batch in batches]


@pytest.mark.parametrize("count", [1, 2, 4, 5, 8, 9, 10])
def test_every_picture_comes_once(count: int) -> None:
    found = numbers(epoch(count))
    assert Counter(chain.from_iterable(found)) == Counter(range(count))
    assert all(len(batch) >= 2 for batch in found) or count == 1


def test_the_seed_decides_the_order() -> None:
    assert numbers(epoch(20, seed=1)) == numbers(epoch(20, seed=1))
    assert numbers(epoch(20, seed=1)) != numbers(epoch(20, seed=2))


@pytest.mark.parametrize("count", [8, 9, 11])
def test_processes_share_every_batch(count: int) -> None:
    alone = numbers(epoch(count))
    shares = [epoch(count, share=Share(rank, 2)) for rank in range(2)]
    together = [sorted(chain.from_iterable(parts)) for parts in zip(*map(numbers, shares), strict=True)]
    assert together == [sorted(batch) for batch in alone]
    assert [batch.together for batch in shares[0]] == [len(batch) for batch in alone]
    assert all(len(batch.pictures) for share in shares for batch in share)


def test_what_is_drawn_repeats_with_the_seed() -> None:
    one, two = (epoch(9, augmentation="strong")[-1] for _ in range(2))
    assert torch.equal(one.pictures, two.pictures)
    assert torch.equal(one.masks, two.masks)
