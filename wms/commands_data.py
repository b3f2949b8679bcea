"""Commands about pictures before they are data: drop, validate."""

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wms.output import say
from wms.settings import Settings, load_settings
from wms_ml.errors import DropError

if TYPE_CHECKING:
    from wms_resources.readiness import Drop


def drop(
    folder: Annotated[Path, typer.Argument(help="folder with images/ and masks/")],
    drop_id: Annotated[str | None, typer.Option("--id", help="name of the drop; default: the time")] = None,
) -> None:
    """Hand in pictures and masks; the sensor takes it from there, or `wms run drop_to_deployment`."""
    from wms_resources.drop_folder import drop_files

    settings = load_settings()
    files = drop_files(folder)
    dropped = upload(settings, files, drop_id)
    typer.echo(dropped.drop_id)
    say(f"dropped {len(files)} files as {dropped.drop_id} by {getpass.getuser()}. The sensor starts a run for it where")
    say(f"`wms dev` runs; or start it now: wms run drop_to_deployment --drop {dropped.drop_id}")


def upload(settings: Settings, files: Mapping[str, Path], drop_id: str | None = None) -> "Drop":
    """Put files into the store as one drop, with a progress bar."""
    from wms.definitions import resources
    from wms_ml.reporting import bar

    with bar(len(files), "drop") as progress:
        return resources(settings).store.put(files, drop_id, on_file=progress.update)


def validate(
    folder: Annotated[Path, typer.Argument(help="folder with images/ and masks/")],
    json_file: Annotated[Path | None, typer.Option("--json", help="write the report here as JSON; - prints it")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="write the report here as a page")] = None,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="write a short table here")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="let warnings count as errors in the exit code")] = False,
    aside: Annotated[bool, typer.Option("--quarantine", help="set bad pairs aside instead of refusing all")] = False,
) -> None:
    """Check a folder before dropping it: exit 0 no errors, 1 errors, 2 usage."""
    from rich.console import Console

    from wms.definitions import resources
    from wms.report_files import refuse_unwritable, write
    from wms_ml.quality.listing import printable
    from wms_ml.quality.markdown import markdown
    from wms_ml.quality.page import page
    from wms_ml.quality.report import quarantine
    from wms_ml.quality.terminal import show
    from wms_ml.reporting import bar, follow

    refuse_unwritable({"--json": json_file, "--html": html_file, "--markdown": markdown_file})
    parts = resources(load_settings())
    accepted = parts.inspector.accepted(parts.data_repo)
    try:
        with bar(0, "inspect") as progress:
            name = printable(folder.resolve().name)
            report = parts.inspector.inspect(folder, name, accepted, on_progress=follow(progress))
    except DropError as error:
        say(f"error: {error}")
        raise typer.Exit(2) from error
    report = quarantine(report) if aside else report
    show(report, Console(stderr=True))
    write(json_file, report.to_json)
    write(html_file, lambda: page(report, folder, accepted.profile()))
    write(markdown_file, lambda: markdown(report))
    if not report.ok or (strict and report.warnings):
        raise typer.Exit(1)
