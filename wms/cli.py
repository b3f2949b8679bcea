"""The `wms` command. Figures go to standard output, everything said to people to standard error."""

import sys
from typing import Final

import typer

from wms import (
    commands_data,
    commands_dataset,
    commands_deploy,
    commands_evaluate,
    commands_hooks,
    commands_models,
    commands_predict,
    commands_quarantine,
    commands_run,
    commands_service,
)
from wms_ml.errors import WmsError

app: Final = typer.Typer(
    name="wms",
    help="From a drop of water-meter pictures to a serving segmentation model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command, function in (
    ("demo", commands_run.demo),
    ("run", commands_run.run),
    ("dev", commands_run.dev),
    ("drop", commands_data.drop),
    ("validate", commands_data.validate),
    ("evaluate", commands_evaluate.evaluate),
    ("predict", commands_predict.predict),
    ("deploy", commands_deploy.deploy),
    ("rollback", commands_deploy.rollback),
    ("status", commands_deploy.status),
    ("serve", commands_service.serve),
    ("stop", commands_service.stop),
    ("doctor", commands_service.doctor),
):
    app.command(command)(function)
app.add_typer(commands_dataset.app, name="data")
app.add_typer(commands_models.app, name="models")
app.add_typer(commands_deploy.ab, name="ab")
app.add_typer(commands_quarantine.app, name="quarantine")
app.add_typer(commands_hooks.app, name="hooks")


def main() -> None:
    """Run a command; exit 0 done, 1 could not, 2 wrong usage."""
    try:
        app()
    except WmsError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("stopped; run it again to go on", err=True)
        sys.exit(130)
