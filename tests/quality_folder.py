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
from wms_ml.quality.check import Accepted, check_folder
from wms_ml.quality.report import Report

SIZE = (90, 120)
WINDOW = (20, 30, 69, 49)
"""The marked rectangle, rims included: 50 x 20 = 1,000 pixels."""


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def mask(box: tuple[int, int, int, int] = WINDOW, value: int = 255, size: tuple[int, int] = SIZE) -> Image.Image:
    drawn = Image.new("L", size)
    ImageDraw.Draw(drawn).rectangle(box, fill=value)
    return drawn


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
        self.put(f"masks/{name}.png", mask())

    def check(self, accepted: Accepted | None = None, **options: object) -> Report:
        return check_folder(self.path, "a-drop", accepted or Accepted(), **options)


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
    drop.put("masks/z.png", mask())


def heic_image(drop: Folder) -> None:
    drop.remove("images/a.jpg")
    drop.put("images/a.heic", b"\0\0\0\x18ftypheic")


SOFT = mask().filter(ImageFilter.GaussianBlur(8))
JPEG = encoded(photo(9), "JPEG")
