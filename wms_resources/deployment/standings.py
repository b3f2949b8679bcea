"""What stands on a target: compared with what is wanted, and in words for people."""

from wms_ml.errors import DeploymentError
from wms_resources.deployment.targets import Package, Placed, Standing


def is_same(one: Package, other: Package) -> bool:
    """Whether two are the same release: the same content in the same image, where both know theirs."""
    known = bool(one.image and other.image)
    return (one.tag, one.digest) == (other.tag, other.digest) and (one.image == other.image or not known)


def standing_words(standing: Standing) -> str:
    """What stands there, in a line."""
    stable, canary = standing.stable, standing.canary
    found = [f"{_release(stable)} serves" if stable else "nothing serves"]
    if canary:
        kind = "in an A/B test" if canary.trial else "as a canary"
        found.append(f"{_release(canary)} takes {canary.share:.0%} {kind}")
    return ", ".join(found)


def require_no_trial(standing: Standing) -> None:
    """Refuse to deploy while two versions are being compared.

    Raises:
        DeploymentError: an A/B test stands there.
    """
    if standing.canary and standing.canary.trial:
        raise DeploymentError(
            f"version {standing.canary.package.model_version} is in an A/B test there: end it first with `wms ab stop`"
        )


def _release(placed: Placed) -> str:
    count = f"{placed.instances} instance{'' if placed.instances == 1 else 's'}"
    state = count if placed.ready else f"{count}, not ready"
    return f"version {placed.package.model_version} ({placed.package.tag}, {state})"
