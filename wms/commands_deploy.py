"""Commands that put a release in front of people: deploy, rollback, status, and two versions side by side."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wms.move_options import By, Reason
from wms.output import print_json, say
from wms.settings import Settings, load_settings

if TYPE_CHECKING:
    from wms_resources.deployment.deployer import Deployer

ab: Final = typer.Typer(help="Two versions side by side, each with a share of the pictures.", no_args_is_help=True)

_Environment = Annotated[str | None, typer.Option(help="staging or production; default: WMS_DEPLOY_ENVIRONMENT")]
_Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def deploy(
    environment: _Environment = None,
    version: Annotated[str, typer.Option(help="another version than production's: number or alias; staging only")] = "",
    as_json: _Json = False,
) -> None:
    """Deploy the model in production with the code of now; what serves stays until the new one has proved itself."""
    from wms.runs import run_job

    settings = load_settings()
    config = {"environment": environment or settings.deploy_environment, "version": version}
    _tell(run_job(settings, "deploy_current", {"deployed_image": config}).metadata["deployed_image"], as_json)


def rollback(
    reason: Reason,
    to: Annotated[str, typer.Option(help="number or alias; default: the version before")] = "",
    environment: _Environment = None,
    by: By = None,
    as_json: _Json = False,
) -> None:
    """Put the version before back, in the registry and in front of people; staging only in front of people."""
    from wms.person import person
    from wms.runs import run_job

    settings = load_settings()
    config = {
        "environment": environment or settings.deploy_environment,
        "reason": reason,
        "to": to,
        "by": person(settings, by),
    }
    _tell(run_job(settings, "rollback_deployment", {"roll_back": config}).metadata["deployed_image"], as_json)


def status(environment: _Environment = None, as_json: _Json = False) -> None:
    """What stands in each environment, what should, and what went wrong last; exit 1 where the two differ."""
    from wms.deployment_view import print_status, told
    from wms_resources.deployment.deployment_status import statuses

    found = [each for each in statuses(_deployer(load_settings())) if environment in (None, each.environment)]
    if as_json:
        print_json([told(each) for each in found])
    else:
        print_status(found)
    if any(each.trouble for each in found):
        raise typer.Exit(1)


@ab.command("start")
def start_ab(
    version: Annotated[str, typer.Argument(metavar="REF", help="a version's number, or an alias")],
    share: Annotated[float, typer.Option(min=0.01, max=0.99, help="share of the pictures that it is sent")] = 0.5,
    environment: _Environment = None,
) -> None:
    """Send a share of the pictures to another version, until `wms ab stop`; the metrics tell them apart."""
    settings = load_settings()
    where = environment or settings.deploy_environment
    placed = _deployer(settings).start_trial(where, version, share)
    say(f"{where}: version {placed.model_version} takes {share:.0%} of the pictures; `wms ab stop` ends it")


@ab.command("stop")
def stop_ab(environment: _Environment = None) -> None:
    """End it: the stable version answers everything again."""
    settings = load_settings()
    where = environment or settings.deploy_environment
    ended = _deployer(settings).end_trial(where)
    say(f"{where}: version {ended.model_version} is gone" if ended else f"{where}: there was no A/B test")


def _deployer(settings: Settings) -> "Deployer":
    from wms.definitions import resources

    return resources(settings).deployer


def _tell(deployed: dict[str, Any], as_json: bool) -> None:
    shown = {name: deployed[name] for name in ("environment", "model version", "release", "address", "image")}
    if as_json:
        print_json({name.replace(" ", "_"): value for name, value in shown.items()})
    else:
        say(f"version {shown['model version']} serves in {shown['environment']} at {shown['address']}")
