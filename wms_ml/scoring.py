"""Scores of a model on pictures, one row a picture, at the picture's own size: what people would see and correct.

A table says by itself all that is asked of it later: means, intervals and slices need no manifest and no picture.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from wms_ml.errors import DataError
from wms_ml.files import write_whole

FORM: Final = 2
"""Version of what a row holds; tables of another form are refused. Form 1 had no distances and no measures."""


@dataclass(frozen=True, slots=True)
class PictureScore:
    """How well one picture's mask was found, and what kind of picture it is.

    Attributes:
        pair_id: the pair scored.
        name: its name, for people.
        dice: 2|A∩B| / (|A|+|B|), 0 to 1 (Dice 1945).
        iou: |A∩B| / |A∪B|, 0 to 1 (Jaccard 1912).
        pixel_accuracy: share of pixels on the right side, 0 to 1.
        hausdorff95: distance of the outlines at 95 %, pixels, as `agreement.hausdorff` defines it.
        hausdorff: the same at its maximum, pixels.
        diagonal: of the picture, pixels; the distance when the model marked nothing.
        found: whether the model marked anything at all.
        orientation: EXIF orientation of the image as stored, 1 to 8.
        brightness: as in `Measures`, 0 to 255.
        coverage: of the true mask, 0 to 1.
        sharpness: as in `Measures`.
    """

    pair_id: str
    name: str
    dice: float
    iou: float
    pixel_accuracy: float
    hausdorff95: float
    hausdorff: float
    diagonal: float
    found: bool
    orientation: int
    brightness: float
    coverage: float
    sharpness: float

    @property
    def hausdorff95_share(self) -> float:
        """`hausdorff95` as a share of the diagonal, 0 to 1: what pictures of different sizes can be compared by."""
        return self.hausdorff95 / self.diagonal


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """The scores of one model on one list of pictures.

    Attributes:
        model: content hash of the model file, `sha256:...`.
        data_version: the data set the pictures are from.
        split: the side they are on.
        rows: one score a picture, sorted by pair id.
        form: version of the rows.
    """

    model: str
    data_version: str
    split: str
    rows: tuple[PictureScore, ...]
    form: int = field(default=FORM, init=False)

    def mean(self, metric: str) -> float:
        """Mean over the pictures of a figure of `PictureScore`.

        Raises:
            DataError: there are none.
        """
        return fmean(self.column(metric))

    def column(self, metric: str) -> list[float]:
        """A figure of `PictureScore` for every picture.

        Raises:
            DataError: there are none.
        """
        if not self.rows:
            raise DataError(f"no pictures were scored on the {self.split} side of data set {self.data_version}")
        return [getattr(row, metric) for row in self.rows]

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_whole(path, json.dumps(asdict(self), indent=1))

    @staticmethod
    def parse(text: str) -> "ScoreTable":
        """Read what `save` wrote.

        A table of another form is refused, not filled up: what it lacks was not measured, and a made-up distance
        would be judged like a measured one. Scoring the model again takes minutes.

        Raises:
            DataError: it is of another form, or something else.
        """
        try:
            values = json.loads(text)
            form = values.pop("form", 1)
            if form != FORM:
                raise DataError(
                    f"a score table of form {form}, this release reads form {FORM}: score the model again "
                    "(`wms run train_and_gate`, `wms evaluate`)"
                )
            return ScoreTable(rows=tuple(_row(row) for row in values.pop("rows")), **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"not a score table: {error!r}") from error


def _row(values: Mapping[str, Any]) -> PictureScore:
    """A row, if every value is of its kind: a string or NaN in place of a score must not get as far as a mean."""
    row = PictureScore(**values)
    for each in fields(PictureScore):
        value = getattr(row, each.name)
        kind: Any = (int, float) if each.type is float else each.type
        if not isinstance(value, kind) or (isinstance(value, bool) and each.type is not bool):
            raise TypeError(f"{each.name} of {row.name} is {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{each.name} of {row.name} is {value!r}")
    return row
