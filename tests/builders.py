"""Small real things for tests: pairs, drops, score tables."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from wms_ml.pairs import Pair, pair_id
from wms_ml.samples import write_samples
from wms_ml.scoring import PictureScore, ScoreTable
from wms_ml.split import side


def pair(name: str, image: str | None = None, mask: str = "f" * 64, drop: str = "d1") -> Pair:
    digest = image or hashlib.sha256(name.encode()).hexdigest()
    return Pair(
        pair_id=pair_id(digest, mask),
        name=name,
        image=f"images/{name}.jpg",
        mask=f"masks/{name}.png",
        image_sha256=digest,
        mask_sha256=mask,
        width=64,
        height=48,
        orientation=1,
        image_format="JPEG",
        mask_format="PNG",
        brightness=100.0,
        contrast=40.0,
        sharpness=10.0,
        phash=digest[:16],
        mask_pixels=307,
        coverage=0.1,
        grey_share=0.0,
        mask_peak=255,
        pieces=1,
        measured="1-48",
        drop=drop,
        split=side(digest),
    )


def drop_folder(folder: Path, count: int, seed: int = 0, size: tuple[int, int] = (96, 128)) -> Path:
    write_samples(folder, count, seed, size)
    return folder


def table(*dice: float, model: str = "sha256:a", data_version: str = "v1", split: str = "test") -> ScoreTable:
    rows = [
        PictureScore(
            pair_id=f"id{index}",
            name=f"picture {index}",
            dice=value,
            iou=value / (2 - value),
            pixel_accuracy=1.0,
            hausdorff95=100 * (1 - value),
            hausdorff=120 * (1 - value),
            diagonal=120.0,
            found=value > 0,
            orientation=1,
            brightness=100.0,
            coverage=0.1,
            sharpness=10.0,
        )
        for index, value in enumerate(dice)
    ]
    return ScoreTable(model, data_version, split, tuple(rows))


def pictures(count: int) -> list[tuple[bytes, bytes]]:
    """Images and masks, all of other content and other length."""
    return [(_image(seed), _mask(seed)) for seed in range(count)]


def _image(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (48, 40, 3), dtype=np.uint8)
    return _encoded(Image.fromarray(noise), "JPEG", quality=60 + seed)


def _mask(seed: int) -> bytes:
    drawn = np.zeros((48, 40), np.uint8)
    drawn[10:30, 5 + seed : 20 + seed] = 255
    text = PngImagePlugin.PngInfo()
    text.add_text("note", "x" * (seed + 1))
    return _encoded(Image.fromarray(drawn), "PNG", pnginfo=text)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
