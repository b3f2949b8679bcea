"""The evaluation program: `python -m wms_ml.evaluation --data DIR --split test --model FILE --out DIR`.

Scores one or more models on the same pictures, at the pictures' own size, with the runtime that serves them. Writes
`scores-<i>.json` and `scores-<i>.csv` for the i-th model, `report.md` about all of them, and of the first `best.jpg`,
`median.jpg` and `worst.jpg`. Every picture is read and predicted once; memory holds one picture and the rows.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

from PIL import Image

from wms_ml.agreement import score
from wms_ml.arrays import BoolMask, image_of, mask_of
from wms_ml.dataset import load_dataset
from wms_ml.errors import DataError, PictureError, WmsError
from wms_ml.files import digest_of, verified, write_whole
from wms_ml.mask_spool import MaskSpool
from wms_ml.pairs import Pair, data_version
from wms_ml.predictor import Predictor
from wms_ml.reporting import bar, reporter
from wms_ml.score_report import csv_text, markdown, sentence
from wms_ml.score_sheets import draw_sheets
from wms_ml.scoring import PictureScore, ScoreTable

_Picture = TypeVar("_Picture")


def evaluate(
    data: Path,
    pairs: Sequence[Pair],
    models: Sequence[Path],
    split: str,
    keep: Callable[[str, BoolMask], None] | None = None,
) -> list[ScoreTable]:
    """Score each model on the pairs of one side of the data set in `data`; `split` "" means all of them.

    Args:
        keep: is given the pair id and the first model's mask, at the picture's own size, of every picture.

    Raises:
        DataError: no pictures on that side, a file that is missing or not the one in the manifest, a mask of another
            size than its picture, or a model file that is none of ours.
        PictureError: a picture that does not decode; the message names the file.
    """
    chosen = sorted((pair for pair in pairs if split in ("", pair.split)), key=lambda pair: pair.pair_id)
    if not chosen:
        raise DataError(f"no {split} pictures in {data}: drop more pairs")
    predictors = [Predictor(model) for model in models]
    rows: list[list[PictureScore]] = [[] for _ in models]
    with bar(len(chosen), f"score {split}".strip()) as progress:
        for pair in chosen:
            image, truth = open_pair(data, pair)
            found = [predictor.predict_image(image).mask for predictor in predictors]
            for table, mask in zip(rows, found, strict=True):
                table.append(score(pair, mask, truth))
            if keep:
                keep(pair.pair_id, found[0])
            progress.update()
    version = data_version(pairs)
    return [
        ScoreTable(digest_of(model), version, split or "all", tuple(table))
        for model, table in zip(models, rows, strict=True)
    ]


def open_pair(data: Path, pair: Pair) -> tuple[Image.Image, BoolMask]:
    """The picture, upright RGB, and the mask of a pair; both are exactly the files that the manifest names.

    Raises:
        DataError: a file is missing, or other than its manifest says.
        PictureError: one does not decode; the message names the file.
    """
    image = _opening(data / pair.image, pair.image_sha256, image_of)
    return image, _opening(data / pair.mask, pair.mask_sha256, mask_of)


def _opening(path: Path, sha256: str, decode: Callable[[bytes], _Picture]) -> _Picture:
    content = verified(path, sha256)
    try:
        return decode(content)
    except PictureError as error:
        raise PictureError(error.code, f"{path}: {error}") from error


def run(data: Path, pairs: Sequence[Pair], split: str, models: Sequence[Path], out: Path) -> list[ScoreTable]:
    """Evaluate, and write tables, report and pictures into `out`.

    Raises:
        DataError, PictureError: as `evaluate`.
    """
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=out) as file:
        spool = MaskSpool(file)
        tables = evaluate(data, pairs, models, split, spool.put)
        by_id = {pair.pair_id: pair for pair in pairs}
        sheets = draw_sheets(tables[0].rows, lambda row: (*open_pair(data, by_id[row.pair_id]), spool.get(row.pair_id)))
    for index, table in enumerate(tables):
        table.save(out / f"scores-{index}.json")
        write_whole(out / f"scores-{index}.csv", csv_text(table))
    write_whole(out / "report.md", markdown(tables))
    for name, sheet in sheets.items():
        sheet.save(out / f"{name}.jpg", quality=88)
    return tables


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit 0 scored, 1 could not, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m wms_ml.evaluation", description="Score models on one data set.")
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and masks/")
    parser.add_argument("--split", choices=["train", "validation", "test", ""], default="test", help="'' means all")
    parser.add_argument("--model", type=Path, action="append", required=True, help="an .onnx file; may be repeated")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables, report and contact sheets")
    given = parser.parse_args(arguments)
    with reporter() as report:
        try:
            tables = run(given.data, load_dataset(given.data), given.split, given.model, given.out)
        except WmsError as error:
            report.result({"error": str(error), "kind": type(error).__name__})
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command's last word
            return 1
        for number, table in enumerate(tables):
            report.line(f"model {number}: {sentence(table)}")
        report.result(
            {"dice": [table.mean("dice") for table in tables], "iou": [table.mean("iou") for table in tables]}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
