"""Commands about the running thing: serve, stop, doctor."""

import os
import sys
from functools import partial
from typing import Annotated

import typer

from wms.output import print_json, say
from wms.settings import load_settings


def serve(
    background: Annotated[bool, typer.Option("--background", help="leave it running and return")] = False,
) -> None:
    """Serve the model in production until stopped with Ctrl-C, or with `wms stop`."""
    from wms.definitions import resources
    from wms_resources.releases import prove

    parts = resources(load_settings())
    release = parts.releases.build(parts.registry, parts.promoter.in_production(parts.registry))
    if background:
        say(f"serving at {parts.service.deploy(release, partial(prove, release)).url}")
        return
    command = parts.service.foreground(release)
    sys.stderr.flush()
    os.execv(command[0], command)


def stop() -> None:
    """Stop the service."""
    from wms.definitions import resources

    count = resources(load_settings()).service.stop()
    say("stopped the service" if count else "no service was running")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Say what is missing in the set-up and how to mend it; exit 1 when something is."""
    from wms.doctor import examine

    findings = examine()
    if as_json:
        print_json([{"name": each.name, "ok": each.ok, "said": each.said} for each in findings])
    else:
        for each in findings:
            typer.echo(f"{'✓' if each.ok else '✗'} {each.name}: {each.said}")
    if not all(each.ok for each in findings):
        raise typer.Exit(1)
