"""Commands that use a model: evaluate, predict."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wms.output import print_json, say, write_json
from wms.settings import load_settings
from wms_ml.errors import DataError, PictureError


def evaluate(
    folder: Annotated[Path, typer.Argument(help="folder with images/ and masks/")],
    model: Annotated[str, typer.Option(help="registry version, alias or .onnx file")] = "production",
    json_file: Annotated[Path | None, typer.Option("--json", help="write the figures here as JSON")] = None,
) -> None:
    """Dice and IoU of a model on pictures whose masks are known, each at its own size."""
    from wms_ml.dataset import load_dataset
    from wms_ml.evaluation import evaluate as score_models

    pairs = load_dataset(folder)
    path, said = _model(model)
    table = score_models(folder, pairs, [path], "")[0]
    names = {pair.pair_id: pair.name for pair in pairs}
    outcome = {
        "model": said,
        "digest": table.model,
        **{name: table.mean(name) for name in ("dice", "iou", "pixel_accuracy")},
        "pictures": [
            {
                "name": names[row.pair_id],
                "dice": row.dice,
                "iou": row.iou,
                "pixel_accuracy": row.pixel_accuracy,
            }
            for row in table.rows
        ],
    }
    if json_file:
        write_json(outcome, json_file)
    typer.echo(f"{said}: Dice {outcome['dice']:.4f}  IoU {outcome['iou']:.4f}  on {len(table.rows)} pictures")


def predict(
    source: Annotated[Path, typer.Argument(help="a picture, or a folder of pictures")],
    out: Annotated[Path, typer.Option(help="folder for masks and overlays")],
    model: Annotated[str, typer.Option(help="registry version, alias or .onnx file")] = "production",
    as_json: Annotated[bool, typer.Option("--json", help="print what was found as JSON")] = False,
) -> None:
    """Find the reading window: a mask (PNG, the picture's own upright size) and an overlay for each picture."""
    from wms_ml.predictor import Predictor
    from wms_ml.reporting import bar

    pictures = _pictures(source)
    predictor = Predictor(_model(model)[0])
    rows: list[dict[str, Any]] = []
    with bar(len(pictures), "predict") as progress:
        for path in pictures:
            rows.append(_predict(predictor, path, out))
            progress.update()
    failed = [row for row in rows if "error" in row]
    for row in failed:
        say(f"error: {row['picture']}: {row['error']}")
    if as_json:
        print_json(rows)
    say(f"{len(rows) - len(failed)} masks in {out}, overlays in {out / 'overlays'}")
    if failed:
        raise typer.Exit(1)


def _model(reference: str) -> tuple[Path, str]:
    """The model file of a reference, and what to call it."""
    if reference.endswith(".onnx"):
        return Path(reference), reference
    from wms.definitions import resources

    registry = resources(load_settings()).registry
    version = registry.get(reference)
    return registry.fetch(version), f"{version.name} version {version.version}"


def _pictures(source: Path) -> list[Path]:
    from wms_ml.arrays import SUFFIXES

    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"no file or folder {source}")
    found = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"no pictures in {source} (endings: {', '.join(SUFFIXES)})")
    return found


def _predict(predictor: Any, path: Path, out: Path) -> dict[str, Any]:
    from wms_ml.arrays import read_image
    from wms_ml.render import mask_image, overlay

    try:
        image = read_image(path)
    except PictureError as error:
        return {"picture": path.name, "error": str(error)}
    found = predictor.predict_image(image)
    (out / "overlays").mkdir(parents=True, exist_ok=True)
    mask_image(found.mask).save(out / f"{path.stem}.png")
    overlay(image, predicted=found.mask, edge=800).save(out / "overlays" / f"{path.stem}.jpg", quality=88)
    return {
        "picture": path.name,
        "mask": f"{path.stem}.png",
        "confidence": found.confidence,
        "coverage": found.coverage,
    }
