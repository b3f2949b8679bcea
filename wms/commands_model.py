"""Commands that use a model: evaluate, predict."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wms.output import print_json, say
from wms.settings import load_settings
from wms_ml.errors import DataError, PictureError


def evaluate(
    folder: Annotated[Path, typer.Argument(help="folder with images/ and masks/")],
    model: Annotated[str, typer.Option(help="registry version, alias or .onnx file")] = "production",
    json_file: Annotated[Path | None, typer.Option("--json", help="write all figures here as JSON; - prints")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for score tables, report and contact sheets")] = None,
) -> None:
    """How well a model finds windows whose masks are known: means with 95 % intervals, and by kind of picture."""
    from rich.console import Console

    from wms.report_files import refuse_unwritable, write
    from wms.score_view import show
    from wms_ml.dataset import load_dataset
    from wms_ml.evaluation import evaluate as score_models
    from wms_ml.evaluation import run

    refuse_unwritable({"--json": json_file})
    pairs = load_dataset(folder)
    path, said = _model(model)
    tables = run(folder, pairs, "", [path], out) if out else score_models(folder, pairs, [path], "")
    show(said, tables[0], Console(stderr=json_file == Path("-")))
    write(json_file, lambda: _figures(said, tables[0]))


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


def _figures(said: str, table: Any) -> str:
    """Everything a score table says, as JSON: means on top, then intervals and slices, then every picture."""
    from dataclasses import asdict

    from wms_ml.score_report import METRICS, as_json

    outcome = {
        "model": said,
        "digest": table.model,
        "data_version": table.data_version,
        **{metric.name: table.mean(metric.name) for metric in METRICS},
        **as_json(table),
        "pictures": [asdict(row) for row in table.rows],
    }
    return json.dumps(outcome, indent=1) + "\n"


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
