"""The training program: `python -m wms_ml.training --data DIR --out DIR`.

It needs no orchestrator and no tracking server. Everything it learns lies in `--out`: `history.jsonl` (a line
an epoch), `checkpoint.pt` (atomic, after each epoch), and at the end `model.onnx`, `weights.pt` and, last,
`result.json`. Started again on the same folder it goes on where it was cut off and ends with the same weights:
what is random in an epoch is drawn from the seed and the epoch's number alone.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from wms_ml.cache import DecodedCache
from wms_ml.dataset import load_dataset
from wms_ml.errors import TrainingError, WmsError
from wms_ml.files import write_whole
from wms_ml.history import best_row
from wms_ml.pairs import Pair
from wms_ml.recipe import Recipe
from wms_ml.reporting import Reporter, bar, reporter
from wms_ml.split import require_every_side


def train(data: Path, out: Path, cache: Path, recipe: Recipe, report: Reporter) -> dict[str, Any]:
    """Train one attempt on the data set in `data`, or finish one that was cut off.

    Returns:
        the content of `result.json`: recipe, best epoch, validation metrics, model digest, seconds.

    Raises:
        DataError: the data set is unusable.
        TrainingError: another process trains into `out`, or the loss is no number any more.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=10):
            for stale in out.glob(".*.part"):
                stale.unlink()
            finished = out / "result.json"
            if finished.exists():
                report.line(f"already trained: {finished}")
                return json.loads(finished.read_text())
            return _train(data, out, cache, recipe, report)
    except Timeout as error:
        raise TrainingError(f"another process is training into {out}: wait for it, or stop it") from error


def _train(data: Path, out: Path, cache: Path, recipe: Recipe, report: Reporter) -> dict[str, Any]:
    pairs = load_dataset(data)
    require_every_side(pairs)
    decoded = DecodedCache(cache, data, recipe.size)
    with bar(len(pairs), "decode") as progress:
        decoded.fill(pairs, lambda _: progress.update())
    sides = {name: _side(decoded, pairs, name) for name in ("train", "validation")}

    from wms_ml.attempt import Attempt  # torch: only from here on
    from wms_ml.export import export

    attempt = Attempt(recipe, sides["train"], sides["validation"], out)
    if attempt.epoch:
        report.line(f"resumed after epoch {attempt.epoch} of at most {recipe.epochs}")
    while not attempt.finished:
        started = time.monotonic()
        row = attempt.run_epoch()
        row["seconds"] = round(time.monotonic() - started, 2)
        attempt.commit_epoch(row)
        left = timedelta(seconds=round((recipe.epochs - attempt.epoch) * row["seconds"]))
        report.line(
            f"epoch {attempt.epoch}/{recipe.epochs}  loss {row['loss']:.4f}  validation loss "
            f"{row['validation_loss']:.4f}  Dice {row['dice']:.4f}  IoU {row['iou']:.4f}  "
            f"at most {left} left"
        )
    return _finish(attempt, out, recipe, export(attempt.best_network(), recipe, out))


def _side(decoded: DecodedCache, pairs: list[Pair], side: str) -> Any:
    return decoded.load([pair for pair in pairs if pair.split == side])


def _finish(attempt: Any, out: Path, recipe: Recipe, exported: dict[str, Any]) -> dict[str, Any]:
    history = attempt.history
    best = best_row(history)
    result = {
        "recipe": asdict(recipe),
        "epochs": len(history),
        "best_epoch": best["epoch"],
        "validation": {name: best[name] for name in ("dice", "iou", "pixel_accuracy")},
        "seconds": round(sum(row["seconds"] for row in history), 1),
        **exported,
    }
    write_whole(out / "result.json", json.dumps(result, indent=1))
    return result


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit 0 trained, 1 could not, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m wms_ml.training", description="Train one segmentation model.")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with images/ and masks/ (and manifest.parquet)"
    )
    parser.add_argument("--out", type=Path, required=True, help="where checkpoint, history and model go")
    parser.add_argument("--cache", type=Path, help="decoded pictures, shared between runs (default: OUT/cache)")
    for field in fields(Recipe):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, default=field.default)
    given = vars(parser.parse_args(arguments))
    data, out, cache = given.pop("data"), given.pop("out"), given.pop("cache")
    with reporter() as report:
        try:
            result = train(data, out, cache or out / "cache", Recipe(**given), report)
        except WmsError as error:
            report.result({"error": str(error), "kind": type(error).__name__})
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command's last word
            return 1
        report.result(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
