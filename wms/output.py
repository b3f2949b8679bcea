"""Where commands speak: JSON and tables on standard output, sentences on standard error."""

import json
from pathlib import Path
from typing import Any

import typer

from wms_ml.files import write_whole


def say(text: str) -> None:
    """A line for people."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    typer.echo(json.dumps(value, indent=1))


def write_json(value: Any, path: Path) -> None:
    """One JSON value in a file, whole or not at all."""
    write_whole(path, json.dumps(value, indent=1))
