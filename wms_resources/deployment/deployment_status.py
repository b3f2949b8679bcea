"""What stands in the environments beside what should, for people and for the sensor that mends the difference."""

from dataclasses import dataclass
from functools import partial

from wms_ml.errors import DeploymentError
from wms_resources.deployment.deployer import Deployer
from wms_resources.deployment.environments import NAMES, PRODUCTION
from wms_resources.deployment.incidents import Incident
from wms_resources.deployment.standings import standing_words
from wms_resources.deployment.targets import Standing

_NOTHING = Standing(None, None)


@dataclass(frozen=True, slots=True)
class Status:
    """One environment.

    Attributes:
        environment: its name.
        url: where callers reach it; empty where nothing serves.
        standing: what stands there.
        wanted: model version that should serve: the one in production; None when there is none, and for staging,
            where any may.
        trouble: what is wrong, in words; empty when nothing is.
        incident: the newest one of the environment that is open.
    """

    environment: str
    url: str
    standing: Standing
    wanted: str | None
    trouble: str
    incident: Incident | None


def statuses(deployer: Deployer) -> list[Status]:
    """Every environment's; one that does not answer says so in its trouble.

    Raises:
        RegistryError: the registry does not answer.
        GateError: registry and history contradict each other.
    """
    return [_status(deployer, name) for name in NAMES]


def difference(deployer: Deployer) -> str:
    """How what serves in production differs from what is in production, in words; empty when it does not.

    Where nothing serves, nobody wants anything to: only what was deployed once is kept up.

    Raises:
        DeploymentError: the environment does not answer.
        RegistryError: the registry does not answer.
        GateError: registry and history contradict each other.
    """
    stable = deployer.environments.open(PRODUCTION).standing().stable
    champion = deployer.promoter.champion(deployer.registry)
    if stable is None or champion is None:
        return ""
    serves = stable.package
    if (serves.model_version, serves.digest) == (champion.version, champion.digest):
        return ""
    return f"version {serves.model_version} serves, version {champion.version} is in production"


def table(found: list[Status]) -> str:
    """It as a Markdown table."""
    head = ["| environment | stands | address | trouble |", "| --- | --- | --- | --- |"]
    rows = ((each.environment, standing_words(each.standing), each.url, each.trouble) for each in found)
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def _status(deployer: Deployer, name: str) -> Status:
    champion = deployer.promoter.champion(deployer.registry) if name == PRODUCTION else None
    wanted = champion.version if champion else None
    opened = deployer.incidents.open_in(name)
    told = partial(Status, name, wanted=wanted, incident=opened[0] if opened else None)
    try:
        target = deployer.environments.open(name)
        standing = target.standing()
        url = target.url if standing.stable else ""
    except DeploymentError as error:
        return told("", _NOTHING, trouble=str(error))
    return told(url, standing, trouble=_trouble(standing, wanted, opened))


def _trouble(standing: Standing, wanted: str | None, opened: list[Incident]) -> str:
    stable = standing.stable
    said = [each.sentence for each in opened[:1]]
    if stable is None:
        return "; ".join([*(["nothing serves: `wms deploy`"] if wanted else []), *said])
    if wanted and stable.package.model_version != wanted:
        said.append(f"version {wanted} is in production: `wms deploy`")
    if not stable.ready:
        said.append("it is not ready")
    return "; ".join(said)
