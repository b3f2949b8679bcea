"""The training program: `python -m wms_ml.training --data DIR --out DIR`.

It needs no orchestrator and no tracking server. Everything it learns lies in `--out`: `history.jsonl` (a line
an epoch), `checkpoint.pt` (atomic, after each epoch), and at the end `model.onnx`, `weights.pt` and, last,
`result.json`. Started again on the same folder it goes on where it was cut off and ends with the same weights:
what is random in an epoch is drawn from the seed and the epoch's number alone. Several processes share one training
under torch's launcher: `torchrun --nproc-per-node 2 -m wms_ml.training ...`.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from wms_ml.cache import Decoded, DecodedCache
from wms_ml.dataset import load_dataset
from wms_ml.errors import TrainingError, WmsError
from wms_ml.files import digest_of, write_whole
from wms_ml.history import best_row
from wms_ml.pairs import Pair
from wms_ml.recipe import CHOICES, PRESETS, Recipe, preset
from wms_ml.reporting import Reporter, bar, follow, is_first, reporter
from wms_ml.schedule import seconds_left
from wms_ml.split import require_every_side


def train(
    data: Path, out: Path, cache: Path, recipe: Recipe, report: Reporter, init: Path | None = None
) -> dict[str, Any]:
    """Train one attempt on the data set in `data`, or finish one that was cut off.

    `init` is the `weights.pt` of another training to start from, instead of from scratch.

    Returns:
        the content of `result.json`: recipe, init, epochs, best epoch, validation metrics, model digest, seconds.

    Raises:
        DataError: the data set is unusable.
        TrainingError: another process trains into `out`, or the loss is no number any more.
    """
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        finished = out / "result.json"
        if finished.exists():
            report.line(f"already trained: {finished}")
            return json.loads(finished.read_text())
        return _train(data, out, cache, recipe, report, init)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder, against other trainings; of one training's processes the first does, for all."""
    if not is_first():
        yield
        return
    try:
        with FileLock(out / ".lock", timeout=10):
            for stale in out.glob(".*.part"):
                stale.unlink()
            yield
    except Timeout as error:
        raise TrainingError(f"another process is training into {out}: wait for it, or stop it") from error


def _train(data: Path, out: Path, cache: Path, recipe: Recipe, report: Reporter, init: Path | None) -> dict[str, Any]:
    pairs = load_dataset(data)
    require_every_side(pairs)
    sides = {size: _decoded(cache, data, size, pairs) for size in recipe.sizes}

    from wms_ml.attempt import Attempt  # torch: only from here on
    from wms_ml.devices import start
    from wms_ml.export import export

    fabric = start(recipe.precision)
    attempt = Attempt(recipe, sides, out, fabric, report, init)
    if attempt.history:
        report.line(f"resumed after epoch {len(attempt.history)} of at most {recipe.epochs}")
    while not attempt.finished:
        report.line(_sentence(attempt.run_epoch(), attempt.history, recipe))
    if fabric.is_global_zero:
        exported = export(attempt.best_network(), recipe, out, sides[recipe.size])
        _finish(attempt.history, out, recipe, exported | {"init": digest_of(init) if init else "scratch"})
    fabric.barrier()
    return json.loads((out / "result.json").read_text())


def _decoded(cache: Path, data: Path, size: int, pairs: list[Pair]) -> tuple[Decoded, Decoded]:
    decoded = DecodedCache(cache, data, size)
    with bar(0, f"decode to {size} px") as shown:
        decoded.fill([pair for pair in pairs if pair.split != "test"], follow(shown))
    train, validation = ([pair for pair in pairs if pair.split == side] for side in ("train", "validation"))
    return decoded.side(train), decoded.side(validation)


def _sentence(row: dict[str, Any], history: list[dict[str, Any]], recipe: Recipe) -> str:
    left = timedelta(seconds=round(seconds_left(recipe, history)))
    return (
        f"epoch {row['epoch']}/{recipe.epochs}  {row['size']} px  loss {row['loss']:.4f}  validation loss "
        f"{row['validation_loss']:.4f}  Dice {row['dice']:.4f}  IoU {row['iou']:.4f}  at most {left} left"
    )


def _finish(history: list[dict[str, Any]], out: Path, recipe: Recipe, exported: dict[str, Any]) -> None:
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


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit 0 trained, 1 could not, 2 usage."""
    given = vars(_parser().parse_args(arguments))
    data, out, cache, init = (given.pop(name) for name in ("data", "out", "cache", "init"))
    chosen = {**preset(given.pop("preset")), **given}
    with reporter() as report:
        try:
            result = train(data, out, cache or out / "cache", Recipe(**chosen), report, init)
        except WmsError as error:
            report.result({"error": str(error), "kind": type(error).__name__})
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command's last word
            return 1
        report.result(result)
    return 0


def _parser() -> argparse.ArgumentParser:
    """Options of the recipe that are not given are left out, so that a preset's are not overruled by defaults."""
    parser = argparse.ArgumentParser(
        prog="python -m wms_ml.training",
        description="Train one segmentation model.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with images/ and masks/ (and manifest.parquet)"
    )
    parser.add_argument("--out", type=Path, required=True, help="where checkpoint, history and model go")
    parser.add_argument(
        "--cache", type=Path, default=None, help="decoded pictures, shared between runs (default: OUT/cache)"
    )
    parser.add_argument("--init", type=Path, default=None, help="weights.pt of another training to start from")
    parser.add_argument("--preset", choices=PRESETS, default="", help="a recipe by name; other options overrule it")
    for field in fields(Recipe):
        name = f"--{field.name.replace('_', '-')}"
        known = f"one of {', '.join(CHOICES[field.name])}; " if field.name in CHOICES else ""
        kind = _boolean if field.type is bool else field.type
        parser.add_argument(name, type=kind, help=f"{known}default {field.default!r}")
    return parser


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text.lower() == "true"


if __name__ == "__main__":
    sys.exit(main())
