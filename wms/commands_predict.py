"""`wms predict`: a model at work on a picture or on a folder of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wms.output import say

if TYPE_CHECKING:
    from wms_ml.folder_prediction import Tally
    from wms_ml.folder_results import Row

_COMPLAINTS: Final = 20
"""Errors that are said one by one; a hundred thousand lines help nobody."""


def predict(
    source: Annotated[Path, typer.Argument(help="a picture, or a folder of pictures")],
    out: Annotated[
        Path, typer.Option(help="folder for masks, overlays and tables: a new one, or one of an earlier call")
    ],
    model: Annotated[str, typer.Option(help="registry version, alias, .onnx file or pulled folder")] = "production",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="pictures in folders below, too")] = False,
    overlays: Annotated[bool, typer.Option(help="draw the window onto a copy of each picture")] = True,
    crops: Annotated[bool, typer.Option("--crops", help="cut the window out and straighten it")] = False,
    again: Annotated[bool, typer.Option("--again", help="predict every picture, also those that are done")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="write the table here too; - prints it")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write all rows here as JSON; - prints")] = None,
) -> None:
    """Find the reading window in pictures; a second call does only what is new or changed. Exit 1: some have errors."""
    from wms.model_reference import find_model
    from wms.report_files import refuse_unwritable
    from wms_ml.folder_desk import Wish
    from wms_ml.folder_pictures import pictures_in, root_of
    from wms_ml.folder_prediction import predict_folder
    from wms_ml.reporting import bar, reporter

    refuse_unwritable({"--csv": csv_file, "--json": json_file})
    pictures = pictures_in(source, recursive)
    found, _ = find_model(model)
    with reporter() as report, bar(len(pictures), "predict") as progress:

        def on_row(row: "Row") -> None:
            progress.update()
            if row.error:
                complain(row)

        complain = _Complaints(report.line)
        wish = Wish(overlays=overlays, crops=crops, again=again)
        tally = predict_folder(pictures, root_of(source), found, out, wish, report.line, on_row)
    _hand_over(out, csv_file, json_file)
    _sum_up(tally, out)
    if tally.failed:
        raise typer.Exit(1)


class _Complaints:
    """Says what is wrong with pictures, until it has been said often enough."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._count = 0

    def __call__(self, row: "Row") -> None:
        self._count += 1
        if self._count <= _COMPLAINTS:
            self._line(f"error: {row.picture}: {row.message}")
        elif self._count == _COMPLAINTS + 1:
            self._line("more errors follow: they are all in the tables")


def _hand_over(out: Path, csv_file: Path | None, json_file: Path | None) -> None:
    """Give the tables to where people asked for them, a piece at a time."""
    from wms.report_files import open_target
    from wms_ml.folder_tables import CSV, JSON_LINES, as_array

    if csv_file:
        with (out / CSV).open(newline="", encoding="utf-8") as rows, open_target(csv_file) as target:
            target.writelines(rows)
    if json_file:
        with (out / JSON_LINES).open(encoding="utf-8") as lines, open_target(json_file) as target:
            target.writelines(lines if json_file.suffix == ".jsonl" else as_array(lines))


def _sum_up(tally: "Tally", out: Path) -> None:
    from wms_ml.folder_output import MASKS
    from wms_ml.folder_page import PAGE
    from wms_ml.folder_tables import CSV

    kept = f", {tally.kept} as before" if tally.kept else ""
    failed = f"; {tally.failed} with an error" if tally.failed else ""
    say(f"{tally.predicted} pictures predicted{kept}{failed}")
    say(f"masks in {out / MASKS}, table in {out / CSV}, to look them over: {out / PAGE}")
