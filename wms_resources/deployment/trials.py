"""A/B tests: two releases side by side, each with its share of the pictures, until somebody ends it."""

from dataclasses import replace

from wms_ml.errors import DeploymentError, ReleaseError, RolloutError
from wms_resources.deployment.golden import Golden
from wms_resources.deployment.proof import prove_track
from wms_resources.deployment.rollout import Step, Tell, silent
from wms_resources.deployment.standings import is_same, standing_words
from wms_resources.deployment.targets import Package, Placed, Standing, Target, Track


def trial(target: Target, package: Package, share: float, golden: Golden, tell: Tell = silent) -> None:
    """Have a release take a share of the pictures beside the stable track; the same one with another share moves it.

    It is proved first, without pictures of people's.

    Raises:
        DeploymentError: nothing was begun: another deployment runs, nothing stands on the stable track or this very
            release does, another test stands, or the target does not answer.
        RolloutError: the release did not come up, or is not proved; it is gone again.
    """
    with target.lock():
        standing = target.standing()
        goes_on = _goes_on(standing, package)
        if standing.canary and not goes_on:
            tell(Step.CLEAR, f"version {standing.canary.package.model_version}, a canary that was left behind, goes")
            target.remove(Track.CANARY)
        step = Step.PUT_CANARY
        try:
            if not goes_on:
                tell(step, f"version {package.model_version} comes up beside the stable track")
                target.put(Track.CANARY, package, share=0, trial=True)
            step = Step.PROVE_CANARY
            tell(step, "it has to find the windows of the golden pictures")
            prove_track(target, Track.CANARY, package, golden)
            step = Step.SHARE
            tell(step, f"it takes {share:.0%} of the pictures")
            target.put(Track.CANARY, package, share=share, trial=True)
        except DeploymentError as error:
            raise _failed(target, package, step, error, golden) from error


def end_trial(target: Target) -> Placed | None:
    """End the A/B test of a target; the stable track has all pictures again.

    Returns:
        what was tested; None when no test stood there.

    Raises:
        DeploymentError: another deployment runs, or the target does not answer.
    """
    with target.lock():
        canary = target.standing().canary
        if not canary or not canary.trial:
            return None
        target.remove(Track.CANARY)
        return canary


def _goes_on(standing: Standing, package: Package) -> bool:
    """Whether this very test stands there already."""
    if not standing.stable:
        raise DeploymentError("an A/B test compares with what serves, and nothing does: deploy a version first")
    if is_same(standing.stable.package, package):
        raise DeploymentError(f"version {package.model_version} is what serves already: test another one beside it")
    canary = standing.canary
    if not canary or not canary.trial:
        return False
    if not is_same(canary.package, package):
        raise DeploymentError(
            f"version {canary.package.model_version} is in an A/B test there: end it first with `wms ab stop`"
        )
    return True


def _failed(target: Target, package: Package, step: Step, error: DeploymentError, golden: Golden) -> RolloutError:
    trouble = ""
    try:
        target.remove(Track.CANARY)
        stable = target.standing().stable
        if stable:
            prove_track(target, Track.STABLE, stable.package, replace(golden, floor=0))
        stands = standing_words(target.standing())
    except DeploymentError as another:
        trouble = stands = str(another)
    return RolloutError(
        f"version {package.model_version} failed at the step '{step}': {error}; now {stands}",
        step=step,
        reason=str(error),
        seen="",
        restored=not trouble,
        stands=stands,
        blames_release=isinstance(error, ReleaseError),
    )
