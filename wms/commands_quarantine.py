"""Commands about pairs that were set aside: which they are, and the way back."""

from typing import Annotated, Any, Final

import typer

from wms.output import print_json, say
from wms.settings import load_settings

app: Final = typer.Typer(help="Pairs that were set aside: list them, hand them in again.", no_args_is_help=True)


@app.command("list")
def show(
    everything: Annotated[bool, typer.Option("--all", help="released ones too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """What is set aside, and why."""
    from dataclasses import asdict

    entries = [entry for entry in _parts().quarantine.entries() if everything or not entry.released]
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    for entry in entries:
        state = f" (released as {entry.released})" if entry.released else ""
        typer.echo(f"{entry.batch}  {entry.name}{state}")
        for reason in entry.reasons:
            typer.echo(f"    {reason}")
    say(f"{len(entries)} set aside; hand them in again with `wms quarantine release BATCH [NAME...]`")


@app.command("release")
def release(
    batch: Annotated[str, typer.Argument(help="the drop it came with, as `wms quarantine list` names it")],
    names: Annotated[list[str] | None, typer.Argument(help="pairs of it; default: all")] = None,
) -> None:
    """Hand set-aside pairs in again, as a drop of their own; the checks look at them anew.

    Mend the files where they lie first, or move a threshold (WMS_QA_...) when the rule was wrong.
    """
    parts = _parts()
    entries = parts.quarantine.waiting(batch, names or ())
    dropped = parts.store.put(parts.quarantine.files_of(entries))
    parts.quarantine.note_release(entries, dropped.drop_id)
    typer.echo(dropped.drop_id)
    say(f"{len(entries)} handed in again as drop {dropped.drop_id}: the sensor starts a run for it, or")
    say(f"wms run drop_to_deployment --drop {dropped.drop_id}")


def _parts() -> Any:
    from wms.definitions import resources

    return resources(load_settings())
