"""What a training step costs, against a plain loop that decodes, resizes and filters every picture in every epoch.

Both train the same network on the same pictures with the same batch size on this machine, take turns, and start from
decoded nothing: the platform's decoded cache is filled before, as it is before its first epoch. See README.md here.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from wms_ml.batches import Epoch, Share
from wms_ml.cache import Decoded, DecodedCache
from wms_ml.dataset import load_dataset
from wms_ml.devices import start
from wms_ml.losses import LOSSES
from wms_ml.network import build
from wms_ml.pairs import Pair
from wms_ml.recipe import PRESETS, Recipe

Step = Callable[[torch.Tensor, torch.Tensor], None]


def plain_batches(
    data: Path, pairs: list[Pair], recipe: Recipe, random: np.random.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches as the loop of the system before made them: each picture alone, from its file."""
    order = random.permutation(len(pairs))
    for begin in range(0, len(order), recipe.batch_size):
        chosen = [
            plain_pair(data, pairs[index], recipe.size, random) for index in order[begin : begin + recipe.batch_size]
        ]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in chosen]))
        yield pictures, torch.from_numpy(np.stack([mask for _, mask in chosen]))


def plain_pair(data: Path, pair: Pair, size: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 (S, S, 3) and its mask float32 (S, S), made with Pillow and cv2."""
    import cv2

    picture = np.asarray(ImageOps.exif_transpose(Image.open(data / pair.image)).convert("RGB"))
    mask = cv2.imread(str(data / pair.mask), cv2.IMREAD_GRAYSCALE)
    picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
    picture = cv2.GaussianBlur(picture, (3, 3), 0)
    if random.random() < 0.5:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    if random.random() < 0.2:
        picture, mask = picture[::-1], mask[::-1]
    if random.random() < 0.7:
        matrix = cv2.getRotationMatrix2D((size / 2, size / 2), random.uniform(-25, 25), random.uniform(0.8, 1.25))
        matrix[:, 2] += random.uniform(-0.1, 0.1, 2) * size
        picture, mask = (cv2.warpAffine(np.ascontiguousarray(each), matrix, (size, size)) for each in (picture, mask))
    if random.random() < 0.7:
        image = Image.fromarray(np.ascontiguousarray(picture))
        for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = change(image).enhance(random.uniform(0.7, 1.3))
        picture = np.asarray(image)
    return np.ascontiguousarray(picture), np.ascontiguousarray(mask >= 128).astype(np.float32)


def stepping(recipe: Recipe, *, channels_last: bool) -> tuple[Step, torch.device]:
    """A network of the recipe, and one optimisation step of it."""
    torch.manual_seed(0)
    fabric = start(recipe.precision if channels_last else "32-true")
    network = build(recipe.architecture, recipe.encoder).to(fabric.device)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate)
    network, optimiser = fabric.setup(network, optimiser)

    def step(pictures: torch.Tensor, masks: torch.Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss = LOSSES[recipe.loss](network(pictures.to(fabric.device)), masks.to(fabric.device)).mean()
        fabric.backward(loss)
        optimiser.step()
        loss.item()

    return step, fabric.device


def timed(batches: Iterator[tuple[torch.Tensor, torch.Tensor]], step: Step | None, count: int) -> tuple[float, float]:
    """Pictures a second over `count` batches after one to warm up, and the share of the time waited for batches."""
    pictures, waited, began = 0, 0.0, 0.0
    for index in range(count + 1):
        asked = time.perf_counter()
        images, masks = next(batches)
        arrived = time.perf_counter()
        if step:
            step(images, masks)
        if index == 0:
            began = time.perf_counter()
            continue
        pictures, waited = pictures + len(images), waited + arrived - asked
    spent = time.perf_counter() - began
    return pictures / spent, waited / spent


def ours(side: Decoded, recipe: Recipe, device: torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The platform's batches, epoch after epoch."""
    number = 0
    while True:
        number += 1
        for batch in Epoch(side, recipe.batch_size, recipe.augmentation, number, Share()).on(device):
            yield batch.pictures, batch.masks


def plain(data: Path, pairs: list[Pair], recipe: Recipe) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The plain loop's batches, epoch after epoch."""
    random = np.random.default_rng(0)
    while True:
        yield from plain_batches(data, pairs, recipe, random)


def measure(data: Path, recipe: Recipe, cache: Path, batches: int, rounds: int) -> None:
    """Print both tables."""
    pairs = [pair for pair in load_dataset(data) if pair.split == "train"]
    decoded = DecodedCache(cache, data, recipe.size)
    began = time.perf_counter()
    decoded.fill(pairs)
    filling = len(pairs) / (time.perf_counter() - began)
    quick, device = stepping(recipe, channels_last=True)
    slow, _ = stepping(recipe, channels_last=False)
    rows: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for name, feed, step in (
            ("plain loop: data alone", plain(data, pairs, recipe), None),
            ("platform: data alone", ours(decoded.side(pairs), recipe, device), None),
            ("plain loop: training", plain(data, pairs, recipe), slow),
            ("platform: training", ours(decoded.side(pairs), recipe, device), quick),
        ):
            rows.setdefault(name, []).append(timed(feed, step, batches * (1 if step else 4)))
    show(recipe, device, rows, filling, len(pairs))


def show(
    recipe: Recipe, device: torch.device, rows: dict[str, list[tuple[float, float]]], filling: float, pairs: int
) -> None:
    """Medians and ranges, and the ratios that matter."""
    network = f"{recipe.architecture}, {recipe.encoder}, {recipe.size} px, {recipe.batch_size} a step"
    print(f"{network}, on {device}; {pairs} pictures\n")
    print("| what | pictures/s | range | waiting for data |\n|---|---:|---|---:|")
    for name, found in rows.items():
        rates = [rate for rate, _ in found]
        share = f"{median(waited for _, waited in found):.1%}" if "training" in name else ""
        print(f"| {name} | {median(rates):.2f} | {min(rates):.2f} to {max(rates):.2f} | {share} |")
    print(f"| filling the decoded cache, once | {filling:.1f} | | |\n")
    for what in ("data alone", "training"):
        both = zip(rows[f"platform: {what}"], rows[f"plain loop: {what}"], strict=True)
        ratios = [mine / theirs for (mine, _), (theirs, _) in both]
        extent = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{what}: the platform makes {median(ratios):.2f} times the plain loop's pictures a second ({extent})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with images/ and masks/")
    parser.add_argument("--preset", choices=["", *PRESETS], default="source", help="'' means the defaults")
    parser.add_argument("--size", type=int)
    parser.add_argument("--encoder")
    parser.add_argument("--batches", type=int, default=3, help="measured a round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    named = {name: getattr(given, name) for name in ("size", "encoder") if getattr(given, name)}
    recipe = Recipe(**{**PRESETS.get(given.preset, {}), **named})
    with tempfile.TemporaryDirectory() as scratch:
        measure(given.data, recipe, Path(scratch), given.batches, given.rounds)


if __name__ == "__main__":
    main()
