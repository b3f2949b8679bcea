"""A drop under construction, good until a test spoils it, and ways to spoil it."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from wms_ml.arrays import ORIENTATION_TAG
from wms_ml.catalogue import Accepted
from wms_ml.quality.check import check_folder
from wms_ml.quality.report import Report

SIZE = (240, 320)
WINDOW = (20, 30, 69, 49)
"""The marked rectangle, rims included: 50 x 20 = 1,000 pixels."""


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def mask(box: tuple[int, int, int, int] = WINDOW, value: int = 255, size: tuple[int, int] = SIZE) -> Image.Image:
    drawn = Image.new("L", size)
    ImageDraw.Draw(drawn).rectangle(box, fill=value)
    return drawn


def window(seed: int) -> Image.Image:
    """A mask like `mask()`, in a place of its own for each seed: nobody draws the same twice."""
    left, top, right, bottom = WINDOW
    across, down = seed % 150, seed // 150
    return mask((left + across, top + down, right + across, bottom + down))


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def tagged(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return exif


def bomb(edge: int) -> bytes:
    """A PNG of some 100 bytes that claims `edge` x `edge` pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", edge, edge, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@dataclass
class Folder:
    """A drop under construction, good until a test spoils it."""

    path: Path

    def __post_init__(self) -> None:
        (self.path / "images").mkdir(parents=True)
        (self.path / "masks").mkdir()

    def put(self, path: str, content: bytes | Image.Image) -> None:
        data = encoded(content) if isinstance(content, Image.Image) else content
        (self.path / path).write_bytes(data)

    def remove(self, path: str) -> None:
        (self.path / path).unlink()

    def pair(self, name: str, seed: int) -> None:
        self.put(f"images/{name}.jpg", encoded(photo(seed), "JPEG"))
        self.put(f"masks/{name}.png", window(seed))

    def check(self, accepted: Accepted | None = None, **options: object) -> Report:
        return check_folder(self.path, "a-drop", Accepted() if accepted is None else accepted, **options)


def link(drop: Folder) -> None:
    outside = drop.path.parent / "outside.jpg"
    outside.write_bytes((drop.path / "images/a.jpg").read_bytes())
    drop.remove("images/a.jpg")
    (drop.path / "images/a.jpg").symlink_to(outside)


def renamed(before: str, after: str) -> Callable[[Folder], None]:
    return lambda drop: (drop.path / before).rename(drop.path / after) and None


def putting(path: str, content: bytes | Image.Image) -> Callable[[Folder], None]:
    return lambda drop: drop.put(path, content)


def removing(path: str) -> Callable[[Folder], None]:
    return lambda drop: drop.remove(path)


def again(drop: Folder) -> None:
    drop.put("images/z.jpg", (drop.path / "images/a.jpg").read_bytes())
    drop.put("masks/z.png", window(7))


def heic_image(drop: Folder) -> None:
    drop.remove("images/a.jpg")
    drop.put("images/a.heic", b"\0\0\0\x18ftypheic")


SOFT = mask().filter(ImageFilter.GaussianBlur(8))
JPEG = encoded(photo(9), "JPEG")


def both(*makes: Callable[[Folder], None]) -> Callable[[Folder], None]:
    """One after the other."""

    def make(drop: Folder) -> None:
        for each in makes:
            each(drop)

    return make


def making(path: str) -> Callable[[Folder], None]:
    return lambda drop: (drop.path / path).mkdir()


def without_mask(name: str) -> Callable[[Folder], None]:
    """One more mask, and no image for it."""
    return putting(f"masks/{name}", mask((9, 9, 58, 28)))


def tinted(colour: tuple[int, int, int]) -> Image.Image:
    """A mask with a palette, as annotation tools export classes: 1 inside, shown in `colour`."""
    drawn = mask(value=1)
    classes = Image.fromarray(np.asarray(drawn)).convert("P")
    classes.putdata(list(drawn.getdata()))
    classes.putpalette([0, 0, 0, *colour])
    return classes


def frames(kind: str) -> bytes:
    """A picture of two frames, the second a black one."""
    return encoded(photo(9), kind, save_all=True, append_images=[Image.new("RGB", SIZE)])


def outlined(picture: Image.Image) -> Image.Image:
    """The picture with the window drawn onto it, as tools export it for people."""
    drawn = picture.copy()
    ImageDraw.Draw(drawn).rectangle(WINDOW, outline=(255, 0, 0), width=3)
    return drawn
