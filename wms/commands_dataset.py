"""Commands about data versions: which there are, and any of them as a folder."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wms.output import print_json, say
from wms.settings import load_settings

if TYPE_CHECKING:
    from wms_resources.data_history import Edition
    from wms_resources.data_repo import DataRepo

app: Final = typer.Typer(help="Data versions: list them, get one as a folder.", no_args_is_help=True)

_COLUMNS: Final = ("created", "state", "pairs", "data_version", "commit", "branches")


@app.command("list")
def show(
    last: Annotated[int, typer.Option("--last", min=1, help="how many, newest first")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, hashes in full")] = False,
) -> None:
    """Data versions, newest first: accepted, proposed by a drop, or replaced by a later proposal of it."""
    from wms_resources.data_history import editions

    found = [_told(each) for each in islice(editions(_repo()), last)]
    if as_json:
        print_json(found)
        return
    if not found:
        say("no data yet: `wms drop` brings some")
        return
    _print_table([[_short(each[column]) for column in _COLUMNS] for each in found])
    say("get one as a folder with `wms data checkout REV`; REV is any of its names")


@app.command("checkout")
def checkout(
    rev: Annotated[str, typer.Argument(help="main, data/DROP, a commit, a data version, or DVC's hash of a folder")],
    out: Annotated[Path | None, typer.Option(help="new or empty folder; default: data-VERSION here")] = None,
) -> None:
    """Get a data version as a folder, bit for bit: images/, masks/ and manifest.parquet."""
    from wms_ml.split import counts
    from wms_resources import data_history

    if out:
        data_history.refuse_taken(out)
    repo = _repo()
    edition = data_history.find(repo, rev)
    folder = out or Path(f"data-{edition.data_version}")
    data_history.checkout(repo, edition, folder)
    typer.echo(str(folder))
    sides = ", ".join(f"{count} {side}" for side, count in counts(edition.pairs).items())
    commit = edition.recorded.version.commit[:12]
    say(f"{len(edition.pairs)} pairs ({sides}) of data version {edition.data_version}, commit {commit}")


def _told(edition: "Edition") -> dict[str, Any]:
    recorded = edition.recorded
    replaced = all(branch.startswith("replaced/") for branch in recorded.branches)
    return {
        "created": recorded.created,
        "state": "accepted" if recorded.accepted else "replaced" if replaced else "proposed",
        "branches": recorded.branches,
        "pairs": len(edition.pairs),
        "data_version": edition.data_version,
        "commit": recorded.version.commit,
        "images_md5": recorded.version.images_md5,
        "masks_md5": recorded.version.masks_md5,
    }


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return value[:12] if isinstance(value, str) and len(value) == 40 else str(value)


def _print_table(rows: Iterable[list[str]]) -> None:
    lines = [[column.replace("_", " ") for column in _COLUMNS], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _repo() -> "DataRepo":
    from wms.definitions import resources

    return resources(load_settings()).data_repo
