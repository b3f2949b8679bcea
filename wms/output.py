"""Where commands speak: JSON and tables on standard output, sentences on standard error."""

import json
from typing import Any

import typer


def say(text: str) -> None:
    """A line for people."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    typer.echo(json.dumps(value, indent=1))
