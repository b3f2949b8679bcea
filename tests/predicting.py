"""A folder of pictures whose windows are known, and `wms predict` on it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image, ImageDraw
from typer.testing import CliRunner, Result

from tests.onnx_model import write_red_model
from wms.cli import app
from wms_ml.arrays import ORIENTATION_TAG
from wms_ml.files import digest_of

SIZE = (160, 120)
WINDOW = (40, 30, 119, 69)


def picture(shift: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """Black, with a red window that lies `shift` pixels further to the right."""
    drawn = Image.new("RGB", size)
    left, top, right, bottom = WINDOW
    ImageDraw.Draw(drawn).rectangle((left + shift, top, right + shift, bottom), fill=(255, 0, 0))
    return drawn


def lying() -> bytes:
    """A picture as a phone stores it that was held upright: on its side, with a tag that says so."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION_TAG] = 6
    picture().save(file, "JPEG", exif=exif)
    return file.getvalue()


class Predicting:
    """Pictures in `source`, what is found in them in `out`, and the model that finds what is red."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out = folder / "photos", folder / "found"
        self.model = folder / "model.onnx"
        self.digest = write_red_model(self.model)

    def put(self, name: str, content: Image.Image | bytes) -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path)
        return path

    def arguments(self, *options: str) -> list[str]:
        return ["predict", str(self.source), "--out", str(self.out), "--model", str(self.model), *options]

    def predict(self, *options: str, expect: int = 0) -> Result:
        """The command, in this process; an error comes out as it is."""
        done = CliRunner().invoke(app, self.arguments(*options))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == expect, done.output
        return done

    def other_model(self) -> str:
        """Another file that finds the same; returns its digest."""
        model = onnx.load(self.model)
        model.doc_string = "another"
        self.model = self.model.with_name("other.onnx")
        onnx.save(model, self.model)
        return digest_of(self.model)

    def rows(self) -> dict[str, dict[str, Any]]:
        lines = (self.out / "results.jsonl").read_text().splitlines()
        return {row["picture"]: row for row in map(json.loads, lines)}

    def table(self) -> dict[str, dict[str, str]]:
        with (self.out / "results.csv").open(newline="") as file:
            return {row["picture"]: row for row in csv.DictReader(file)}

    def mask(self, name: str) -> Image.Image:
        return Image.open(self.out / self.rows()[name]["mask"])

    def left(self, name: str) -> int:
        """Leftmost pixel of a picture's mask."""
        return int(np.flatnonzero(np.asarray(self.mask(name)).any(0))[0])

    def written(self) -> dict[str, tuple[int, int]]:
        """Every mask, with what changes when it is written anew."""
        paths = [path for path in (self.out / "masks").rglob("*") if path.is_file()]
        return {str(path.relative_to(self.out)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, except the program's own notes."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("results.sqlite", ".lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
