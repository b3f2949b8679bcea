"""The evaluation program: `python -m wms_ml.evaluation --data DIR --split test --model FILE --out DIR`.

Scores one or more models on the same pictures, at the pictures' own size, with the runtime that serves them. Writes
`scores-<i>.json` for the i-th model, and a picture of the best and the worst of the first.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from wms_ml.arrays import read_image, read_mask
from wms_ml.dataset import load_dataset
from wms_ml.errors import DataError, WmsError
from wms_ml.files import digest_of
from wms_ml.pairs import Pair, data_version
from wms_ml.predictor import Predictor
from wms_ml.render import contact_sheet, overlay
from wms_ml.reporting import bar, reporter
from wms_ml.scoring import PictureScore, ScoreTable, score


def evaluate(data: Path, pairs: Sequence[Pair], models: Sequence[Path], split: str) -> list[ScoreTable]:
    """Score each model on the pairs of one side of the data set in `data`; `split` "" means all of them.

    Raises:
        DataError: no pictures on that side, or a model file that is none of ours.
        PictureError: a picture that does not decode.
    """
    chosen = sorted((pair for pair in pairs if split in ("", pair.split)), key=lambda pair: pair.pair_id)
    if not chosen:
        raise DataError(f"no {split} pictures in {data}: drop more pairs")
    predictors = [Predictor(model) for model in models]
    rows: list[list[PictureScore]] = [[] for _ in models]
    with bar(len(chosen), f"score {split}".strip()) as progress:
        for pair in chosen:
            image, truth = read_image(data / pair.image), read_mask(data / pair.mask)
            for table, predictor in zip(rows, predictors, strict=True):
                table.append(score(pair.pair_id, pair.name, predictor.predict_image(image).mask, truth))
            progress.update()
    version = data_version(pairs)
    return [
        ScoreTable(digest_of(model), version, split or "all", tuple(table))
        for model, table in zip(models, rows, strict=True)
    ]


def draw(data: Path, pairs: Sequence[Pair], table: ScoreTable, model: Path, count: int = 8) -> dict[str, Image.Image]:
    """Contact sheets of the `best` and `worst` pictures of a table, truth in amber and prediction in cyan."""
    predictor = Predictor(model)
    by_id = {pair.pair_id: pair for pair in pairs}
    ranked = sorted(table.rows, key=lambda row: row.dice, reverse=True)

    def sheet(rows: Iterable[PictureScore]) -> Image.Image:
        cells = []
        for row in rows:
            pair = by_id[row.pair_id]
            image = read_image(data / pair.image)
            found = predictor.predict_image(image).mask
            cells.append((f"Dice {row.dice:.3f}", overlay(image, read_mask(data / pair.mask), found)))
        return contact_sheet(cells)

    return {"best": sheet(ranked[:count]), "worst": sheet(ranked[: -count - 1 : -1])}


def run(data: Path, split: str, models: Sequence[Path], out: Path) -> list[ScoreTable]:
    """Evaluate and write tables and pictures into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    pairs = load_dataset(data)
    tables = evaluate(data, pairs, models, split)
    for index, table in enumerate(tables):
        table.save(out / f"scores-{index}.json")
    for name, sheet in draw(data, pairs, tables[0], models[0]).items():
        sheet.save(out / f"{name}.jpg", quality=85)
    return tables


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit 0 scored, 1 could not, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m wms_ml.evaluation", description="Score models on one data set.")
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and masks/")
    parser.add_argument("--split", choices=["train", "validation", "test", ""], default="test", help="'' means all")
    parser.add_argument("--model", type=Path, action="append", required=True, help="an .onnx file; may be repeated")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    with reporter() as report:
        try:
            tables = run(given.data, given.split, given.model, given.out)
        except WmsError as error:
            report.result({"error": str(error), "kind": type(error).__name__})
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command's last word
            return 1
        report.result(
            {"dice": [table.mean("dice") for table in tables], "iou": [table.mean("iou") for table in tables]}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
