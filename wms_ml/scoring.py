"""Scores of a model on pictures, one row a picture, at the picture's own size: what people would see and correct."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from wms_ml.arrays import BoolMask
from wms_ml.errors import DataError
from wms_ml.files import write_whole


@dataclass(frozen=True, slots=True)
class PictureScore:
    """How well one picture's mask was found.

    Attributes:
        pair_id: the pair scored.
        name: its name, for people.
        dice: 2|A∩B| / (|A|+|B|), 0 to 1 (Dice 1945).
        iou: |A∩B| / |A∪B|, 0 to 1 (Jaccard 1912).
        pixel_accuracy: share of pixels on the right side, 0 to 1.
        found: whether the model marked anything at all.
    """

    pair_id: str
    name: str
    dice: float
    iou: float
    pixel_accuracy: float
    found: bool


def score(pair_id: str, name: str, predicted: BoolMask, truth: BoolMask) -> PictureScore:
    """Score one predicted mask; both are bool (height, width) of one size. Two empty masks agree: 1.0.

    Raises:
        DataError: the sizes differ.
    """
    if predicted.shape != truth.shape:
        raise DataError(f"{name}: the mask is {truth.shape[::-1]} pixels, the picture {predicted.shape[::-1]}")
    both = int((predicted & truth).sum())
    total = int(predicted.sum()) + int(truth.sum())
    dice = 2 * both / total if total else 1.0
    iou = both / (total - both) if total else 1.0
    return PictureScore(pair_id, name, dice, iou, float((predicted == truth).mean()), bool(predicted.any()))


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """The scores of one model on one list of pictures.

    Attributes:
        model: content hash of the model file, `sha256:...`.
        data_version: the data set the pictures are from.
        split: the side they are on.
        rows: one score a picture, sorted by pair id.
    """

    model: str
    data_version: str
    split: str
    rows: tuple[PictureScore, ...]

    def mean(self, metric: str) -> float:
        """Mean of `dice`, `iou` or `pixel_accuracy` over the pictures.

        Raises:
            DataError: there are none.
        """
        if not self.rows:
            raise DataError(f"no pictures were scored on the {self.split} side of data set {self.data_version}")
        return fmean(getattr(row, metric) for row in self.rows)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_whole(path, json.dumps(asdict(self), indent=1))

    @staticmethod
    def parse(text: str) -> "ScoreTable":
        """Read what `save` wrote.

        Raises:
            DataError: it is something else.
        """
        try:
            values = json.loads(text)
            rows = tuple(PictureScore(**row) for row in values.pop("rows"))
            return ScoreTable(rows=rows, **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"not a score table: {error!r}") from error


def means(rows: Sequence[PictureScore]) -> dict[str, float]:
    """Mean Dice, IoU and pixel accuracy of some pictures (at least one)."""
    return {metric: fmean(getattr(row, metric) for row in rows) for metric in ("dice", "iou", "pixel_accuracy")}
