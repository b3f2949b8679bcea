"""Commands about the running thing: serve, stop, doctor."""

import os
import sys
from typing import Annotated

import typer

from wms.output import print_json, say
from wms.settings import load_settings


def serve(
    background: Annotated[bool, typer.Option("--background", help="leave it running and return")] = False,
) -> None:
    """Serve the model in production until stopped with Ctrl-C, or with `wms stop`."""
    from wms.definitions import resources
    from wms_resources.deployment.environments import PRODUCTION
    from wms_resources.deployment.release_folder import package_of

    deployer = resources(load_settings()).deployer
    if background:
        say(f"serving at {deployer.deploy(PRODUCTION).url}")
        return
    version = deployer.promoter.in_production(deployer.registry)
    package = package_of(deployer.releases.build(deployer.registry, version))
    command, environment = deployer.environments.process(PRODUCTION).foreground(package)
    sys.stderr.flush()
    os.execve(command[0], command, environment)


def stop() -> None:
    """Stop the services of this machine, in every environment."""
    from wms.definitions import resources
    from wms_resources.deployment.environments import NAMES

    environments = resources(load_settings()).deployer.environments
    count = sum(environments.machine(name).stop() for name in NAMES)
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
