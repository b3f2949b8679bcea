"""The rollout: how a release gets in front of people, on any target, and how what stood before comes back.

Beside what serves it is proved first, with no pictures of people's; then it takes a share of them and is watched; then
it replaces the stable track, and the canary goes. Every step begins with what stands there and may be repeated, so a
rollout that was killed is finished, or undone, by the next one.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final

from wms_ml.errors import DeploymentError, ReleaseError, RolloutError
from wms_resources.deployment.canary_watch import Plan, Watch, watch
from wms_resources.deployment.golden import Golden
from wms_resources.deployment.proof import prove_track
from wms_resources.deployment.service_calls import is_ready
from wms_resources.deployment.standings import is_same, require_no_trial, standing_words
from wms_resources.deployment.targets import Package, Target, Track


class Step(StrEnum):
    """One of a rollout's steps, in their order; `restore` only after a failure."""

    LOOK = "look"
    CLEAR = "clear"
    PUT_CANARY = "put canary"
    PROVE_CANARY = "prove canary"
    SHARE = "share"
    WATCH = "watch"
    PUT_STABLE = "put stable"
    PROVE_STABLE = "prove stable"
    REMOVE_CANARY = "remove canary"
    RESTORE = "restore"


_AFTER_REPLACING: Final = frozenset({Step.PUT_STABLE, Step.PROVE_STABLE, Step.REMOVE_CANARY})
"""Steps at which the stable track may serve the new release already."""

Tell = Callable[[Step, str], None]
"""Hears of each step as it begins, and of what happens in it."""


def silent(step: Step, words: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rollout that succeeded.

    Attributes:
        package: the release that serves now.
        before: the one that served before; None where nothing did.
        watch: what was seen of its canary; None where it was not watched.
        seconds: how long each step took.
    """

    package: Package
    before: Package | None
    watch: Watch | None
    seconds: Mapping[Step, float]


def roll_out(
    target: Target,
    package: Package,
    plan: Plan,
    golden: Golden,
    tell: Tell = silent,
    former: Package | None = None,
) -> Outcome:
    """Put a release on a target, or leave there what stood before.

    Without a canary in the plan it is proved beside the stable track all the same; it takes no pictures.

    Args:
        target: where to.
        package: the release.
        plan: whether and how it is watched.
        golden: what it is proved with.
        tell: hears of each step as it begins.
        former: what to go back to when a rollout that was killed has replaced the stable track already, and only the
            caller knows what stood there.

    Raises:
        DeploymentError: nothing was begun: another deployment runs, an A/B test stands, or the target does not answer.
        RolloutError: it was begun and failed.
    """
    with target.lock():
        return _Rollout(target, package, plan, golden, tell, former).run()


class _Rollout:
    def __init__(
        self, target: Target, package: Package, plan: Plan, golden: Golden, tell: Tell, former: Package | None
    ) -> None:
        self._target = target
        self._package = package
        self._plan = plan
        self._golden = golden
        self._tell = tell
        self._seconds: dict[Step, float] = {}
        self._watch: Watch | None = None
        self._step, self._since = Step.LOOK, time.monotonic()
        tell(Step.LOOK, "what stands there")
        self._before = target.standing()
        require_no_trial(self._before)
        self._serving = self._before.stable.package if self._before.stable else None
        self._is_there = self._serving is not None and is_same(self._serving, package)
        known = former if former and not is_same(former, package) else None
        self._former = known if self._is_there else self._serving

    def run(self) -> Outcome:
        try:
            self._advance()
        except (DeploymentError, OSError) as error:
            raise self._failed(error) from error
        except BaseException:  # a person stopped it, or we are wrong: nothing may stay half done
            self._restore(blames_release=False)
            raise
        self._end()
        return Outcome(self._package, self._serving, self._watch, self._seconds)

    def _advance(self) -> None:
        beside, left = self._serving is not None and not self._is_there, self._before.canary
        ours = left is not None and is_same(left.package, self._package)
        if left and not ours:
            self._begin(Step.CLEAR, f"version {left.package.model_version}, a canary that was left behind, goes")
            self._target.remove(Track.CANARY)
        if beside:
            self._put_canary()
            if self._plan.canary and self._compares():
                self._watch_canary()
        self._put_stable()
        if beside or ours:
            self._begin(Step.REMOVE_CANARY, "the canary goes")
            self._target.remove(Track.CANARY)

    def _put_canary(self) -> None:
        canary = self._before.canary
        goes_on = canary and is_same(canary.package, self._package) and canary.share == self._plan.share
        share = self._plan.share if goes_on and self._plan.canary else 0  # that of a killed rollout stays
        self._begin(Step.PUT_CANARY, f"version {self._package.model_version} comes up beside the stable track")
        self._target.put(Track.CANARY, self._package, share=share)
        self._begin(Step.PROVE_CANARY, "it has to find the windows of the golden pictures")
        prove_track(self._target, Track.CANARY, self._package, self._golden)

    def _compares(self) -> bool:
        """Whether people are served at all; where they are not, a watch would find nothing beside the canary."""
        if self._before.stable and self._before.stable.ready:
            return True
        with self._target.instances(Track.STABLE) as urls:
            serves = any(is_ready(url) for url in urls)
        if not serves:
            self._tell(self._step, "it is not watched: nothing on the stable track is ready to be compared with")
        return serves

    def _watch_canary(self) -> None:
        self._begin(Step.SHARE, f"it takes {self._plan.share:.0%} of the pictures")
        self._target.put(Track.CANARY, self._package, share=self._plan.share)
        self._begin(Step.WATCH, f"it is watched for {self._plan.seconds:g} s")
        self._watch = watch(self._target, self._plan, self._golden, lambda words: self._tell(Step.WATCH, words))
        self._tell(Step.WATCH, self._watch.words)
        if self._watch.objections:
            raise ReleaseError(self._watch.words)

    def _put_stable(self) -> None:
        self._begin(Step.PUT_STABLE, f"version {self._package.model_version} comes to the stable track")
        self._target.put(Track.STABLE, self._package)
        self._begin(Step.PROVE_STABLE, "every instance has to find the windows of the golden pictures")
        prove_track(self._target, Track.STABLE, self._package, self._golden)

    def _failed(self, error: Exception) -> RolloutError:
        step, blames_release = self._step, isinstance(error, ReleaseError)
        troubles = self._restore(blames_release)
        stands = self._stands()
        after = f"what stood before is NOT back: {'; '.join(troubles)}" if troubles else "what stood before is back"
        return RolloutError(
            f"version {self._package.model_version} failed at the step '{step}': {error}; {after}; now {stands}",
            step=step,
            reason=str(error),
            seen=self._watch.markdown() if self._watch else "",
            restored=not troubles,
            stands=stands,
            blames_release=blames_release,
        )

    def _restore(self, blames_release: bool) -> list[str]:
        """Bring back what stood before; what of that failed, a sentence each."""
        replaced = self._step in _AFTER_REPLACING and (blames_release or not self._is_there)
        self._begin(Step.RESTORE, f"it failed at the step '{self._step}': what stood before comes back")
        troubles = []
        for undo in (partial(self._target.remove, Track.CANARY), partial(self._bring_back, replaced)):
            try:
                undo()
            except (DeploymentError, OSError) as error:  # the other one is done all the same
                troubles.append(str(error))
        return troubles

    def _bring_back(self, replaced: bool) -> None:
        """Have the stable track serve what it did, and see that it does; how good that is was asked in its time."""
        golden = replace(self._golden, floor=0)
        if replaced and self._former:
            self._target.put(Track.STABLE, self._former)
            prove_track(self._target, Track.STABLE, self._former, golden)
        elif replaced and self._is_there:
            raise DeploymentError("it was there already, and nobody knows what was before: deploy a version you trust")
        elif replaced:
            self._target.remove(Track.STABLE)
        elif self._serving:
            prove_track(self._target, Track.STABLE, self._serving, golden)

    def _stands(self) -> str:
        try:
            return standing_words(self._target.standing())
        except DeploymentError as error:
            return f"what stands there cannot be seen: {error}"

    def _begin(self, step: Step, words: str) -> None:
        self._end()
        self._step, self._since = step, time.monotonic()
        self._tell(step, words)

    def _end(self) -> None:
        self._seconds[self._step] = time.monotonic() - self._since
