"""`wms evaluate`: how good a model is on pictures whose masks are known."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    folder: Annotated[Path, typer.Argument(help="folder with images/ and masks/")],
    model: Annotated[str, typer.Option(help="registry version, alias or .onnx file")] = "production",
    json_file: Annotated[Path | None, typer.Option("--json", help="write all figures here as JSON; - prints")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for score tables, report and contact sheets")] = None,
) -> None:
    """How well a model finds windows whose masks are known: means with 95 % intervals, and by kind of picture."""
    from rich.console import Console

    from wms.model_reference import find_model
    from wms.report_files import refuse_unwritable, write
    from wms.score_view import show
    from wms_ml.dataset import load_dataset
    from wms_ml.evaluation import evaluate as score_models
    from wms_ml.evaluation import run

    refuse_unwritable({"--json": json_file})
    pairs = load_dataset(folder)
    scored, said = find_model(model)
    tables = run(folder, pairs, "", [scored.path], out) if out else score_models(folder, pairs, [scored.path], "")
    show(said, tables[0], Console(stderr=json_file == Path("-")))
    write(json_file, lambda: _figures(said, tables[0]))


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
