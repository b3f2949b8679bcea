"""Sample pairs of picture and mask, rendered: for demos, tests and trying out a set-up that has no data yet.

Every picture is invented from (seed, index) alone: a meter, a place, a camera and its faults. A quarter of
them are stored as phones do it, turned and with an EXIF tag, so that code which ignores the tag fails here.
"""

import argparse
import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from wms_ml.arrays import ORIENTATION_TAG
from wms_ml.errors import SettingsError
from wms_ml.sample_camera import aim, quad_mask
from wms_ml.sample_counter import choose_window
from wms_ml.sample_dial import draw_dial
from wms_ml.sample_photo import cast_light, develop, lay_dial, lit
from wms_ml.sample_scene import draw_scene

SIZE: Final = (600, 800)
SMALLEST: Final = 64
_JPEG_QUALITY: Final = 88
_STORED: Final = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""How the sensor's pixels lie for an orientation tag: the reverse of what a viewer does on seeing it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One rendered pair.

    Attributes:
        name: `meter_INDEX_CUBICMETRES_LITRES`, the stem of both files.
        image_jpeg: a JPEG file, RGB; its EXIF orientation is 3, 6 or 8 in about a quarter of all samples.
        mask_png: a PNG file, mode L, 0 or 255, upright: it fits the picture once that is turned by its tag.
    """

    name: str
    image_jpeg: bytes
    mask_png: bytes


def render(seed: int, index: int, size: tuple[int, int] = SIZE) -> Sample:
    """Sample number `index` of the endless series `seed`: the same arguments give the same bytes.

    `size` is (width, height) of an upright picture in pixels; about a quarter of the pictures lie on their
    side and have the two exchanged.

    Raises:
        SettingsError: a side is under 64 pixels, or `seed` or `index` is negative.
    """
    if min(size) < SMALLEST:
        raise SettingsError(f"size {size[0]}x{size[1]}: sample pictures need at least {SMALLEST} pixels a side")
    if seed < 0 or index < 0:
        raise SettingsError(f"seed {seed}, index {index}: samples are numbered from 0; use 0 or more for both")
    rng = np.random.default_rng((seed, index))
    upright = (size[1], size[0]) if rng.random() < 0.25 else size
    reading = f"{int(10 ** rng.uniform(2, 8)):08d}"
    image, mask = _photograph(rng, upright, reading)
    tag = int(rng.choice((3, 6, 8))) if rng.random() < 0.25 else 1
    return Sample(f"meter_{index:04d}_{reading[:5]}_{reading[5:]}", as_stored(image, tag), _png(mask))


def _photograph(rng: np.random.Generator, size: tuple[int, int], reading: str) -> tuple[Image.Image, Image.Image]:
    window = choose_window(rng)
    camera = aim(rng, window, size)
    light = cast_light(rng, size, camera)
    # Half size is enough for what is not in focus, and four times quicker.
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    image = lit(draw_scene(rng, half, camera.shrunk(2)), light).resize(size, Image.Resampling.BILINEAR)
    blur = max(1.0, rng.uniform(0.2, 2.2))
    dial = draw_dial(rng, max(32, round(1.5 * camera.radius / blur)), window, reading)
    lay_dial(rng, image, dial, camera, light, blur)
    return develop(rng, image), quad_mask(camera.project(window.corners()), size)


def as_stored(image: Image.Image, tag: int) -> bytes:
    """An upright `image` as the JPEG file of a phone held at EXIF orientation `tag`: 1, 3, 6 or 8."""
    exif = Image.Exif()
    if tag in _STORED:
        image = image.transpose(_STORED[tag])
        exif[ORIENTATION_TAG] = tag
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, exif=exif)
    return buffer.getvalue()


def _png(mask: Image.Image) -> bytes:
    buffer = io.BytesIO()
    mask.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def write_samples(
    folder: Path,
    count: int,
    seed: int = 0,
    size: tuple[int, int] = SIZE,
    on_progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Write samples 0 to `count` - 1 as `folder`/images/NAME.jpg and `folder`/masks/NAME.png.

    A file is there whole or not at all. `on_progress` is told how many pairs are done after each.

    Returns:
        the names, in order of index.

    Raises:
        SettingsError: as `render`, or `count` is negative.
    """
    if count < 0:
        raise SettingsError(f"count {count}: give the number of pairs to write, 0 or more")
    images, masks = folder / "images", folder / "masks"
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(exist_ok=True)
    names = []
    for index in range(count):
        sample = render(seed, index, size)
        _write(images / f"{sample.name}.jpg", sample.image_jpeg)
        _write(masks / f"{sample.name}.png", sample.mask_png)
        names.append(sample.name)
        if on_progress:
            on_progress(index + 1)
    return names


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) from `600x800`.

    Raises:
        SettingsError: it is not two whole numbers with an x between.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise SettingsError(f"--size {text}: write width x height in pixels, such as 600x800")
    return int(match[1]), int(match[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: write samples into a folder. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m wms_ml.samples", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets images/ and masks/")
    parser.add_argument("--count", type=int, default=24, help="number of pairs (default 24)")
    parser.add_argument("--seed", type=int, default=0, help="which series of pictures (default 0)")
    parser.add_argument("--size", default="600x800", metavar="WxH", help="upright size in pixels (default 600x800)")
    options = parser.parse_args(arguments)
    try:
        names = write_samples(options.out, options.count, options.seed, parse_size(options.size))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{len(names)} pairs in {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
