"""Options of every command that moves `production` by hand: the history wants to know who, and why."""

from typing import Annotated

import typer

Reason = Annotated[str, typer.Option(help="why, in your words: it stays in the history for good")]
By = Annotated[str | None, typer.Option(help="who you are; default: WMS_USER, else login@host")]
