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
    from wms_resources.store import Drop


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
    json_file: Annotated[Path | None, typer.Option("--json", help="write the report here as JSON")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="write the report here as a page")] = None,
) -> None:
    """Check a folder before dropping it: exit 0 clean, 1 findings, 2 usage."""
    from wms.definitions import resources
    from wms_ml.quality.check import Accepted, check_folder
    from wms_ml.quality.page import page
    from wms_ml.reporting import bar, follow
    from wms_resources.manifests import pairs_at

    accepted = pairs_at(resources(load_settings()).data_repo)
    try:
        with bar(0, "inspect") as progress:
            report = check_folder(folder, folder.name, Accepted.of(accepted), on_progress=follow(progress))
    except DropError as error:
        say(f"error: {error}")
        raise typer.Exit(2) from error
    for finding in report.findings:
        say(f"{finding.severity.value}  {', '.join(finding.files)}: {finding.message}. {finding.remedy}.")
    say(f"{len(report.pairs)} pairs, {len(report.errors)} errors, {len(report.warnings)} warnings")
    if json_file:
        json_file.write_text(report.to_json())
    if html_file:
        html_file.write_text(page(report, folder))
    if report.errors:
        raise typer.Exit(1)
