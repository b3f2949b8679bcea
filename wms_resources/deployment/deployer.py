"""Deployments as a whole: which release goes where, and what one that failed leaves behind.

The rollout brings back what stood before. Here registry and environment are brought into one state again, and what
happened is written down and told.
"""

from dataclasses import dataclass, field, replace

from wms_ml.errors import DeploymentError, NoProductionModelError, RolloutError, WmsError
from wms_resources.deployment.canary_watch import Plan
from wms_resources.deployment.cleaning import clean
from wms_resources.deployment.environments import PRODUCTION, Environments
from wms_resources.deployment.golden import Golden, golden
from wms_resources.deployment.incidents import Incident, Incidents
from wms_resources.deployment.last_deployed import LastDeployed
from wms_resources.deployment.proof import with_floor
from wms_resources.deployment.release_folder import package_of
from wms_resources.deployment.releases import Releases
from wms_resources.deployment.rollout import Outcome, Step, Tell, roll_out, silent
from wms_resources.deployment.targets import Package, Target
from wms_resources.deployment.trials import end_trial, trial
from wms_resources.images.images import ReleaseImage
from wms_resources.model_facts import IMAGE_TAG
from wms_resources.promotion import Promoter, Promotion
from wms_resources.registry import ModelVersion, Registry
from wms_resources.workspace import Workspace

_ROLLOUT = "a failed rollout"
"""Who moves `production` back, for the history."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment that succeeded.

    Attributes:
        environment: where.
        version: the model version that serves.
        url: where callers reach it.
        outcome: how it went.
        image: its image; None where targets need none.
        cleaned: what older deployments had left behind and is gone, or why it is not, in words.
    """

    environment: str
    version: ModelVersion
    url: str
    outcome: Outcome
    image: ReleaseImage | None
    cleaned: list[str]


class IncidentError(DeploymentError):
    """A deployment failed, and it has been seen to.

    Attributes:
        incident: what was written down.
        moved: how `production` was moved back; None where it stayed.
    """

    def __init__(self, incident: Incident, moved: Promotion | None) -> None:
        alias = f"; {incident.alias}" if incident.alias else ""
        super().__init__(f"{incident.headline}{alias}. Incident {incident.name}: docs/operations.md says what to do")
        self.incident = incident
        self.moved = moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Puts the model in production in front of people, and takes it back.

    Attributes:
        registry: where models come from.
        promoter: says which one is in production.
        workspace: where pictures for model cards are.
        releases: makes release folders.
        environments: where they go.
        golden: folder of the pictures that every service is proved with; empty: rendered ones.
        floor: mean IoU on them that a service must reach; None: half of what the one that stands there reaches, where
            it answers, and none for a version that was in production before.
        key: what services want to be shown; empty: nothing.
        plan: how production's canary is watched; staging has none.
        incidents: where failures are kept.
        last: what was deployed last.
    """

    registry: Registry
    promoter: Promoter
    workspace: Workspace
    releases: Releases
    environments: Environments
    golden: str
    floor: float | None
    key: str = field(repr=False)
    plan: Plan
    incidents: Incidents
    last: LastDeployed

    def deploy(self, environment: str, reference: str = "", tell: Tell = silent) -> Deployed:
        """Deploy the model in production, or on staging another one; what serves already is proved again.

        Args:
            reference: number or alias of another version; empty for the one in production.
            tell: hears of each step of the rollout.

        Raises:
            NoProductionModelError: there is no model in production yet.
            IncidentError: the rollout was begun and failed; everything is as before, and it is written down.
            DeploymentError: nothing was begun.
        """
        target = self.environments.open(environment)
        version = self.promoter.in_production(self.registry)
        if reference:
            if environment == PRODUCTION:
                raise DeploymentError(
                    "production serves what the gate let in: `wms models promote` asks it; staging takes any version"
                )
            version = self.registry.get(reference)
        plan = replace(self.plan, canary=self.plan.canary and environment == PRODUCTION)
        return self._deploy(target, environment, version, plan, self._golden(target, tell), tell)

    def rollback(
        self, environment: str, *, by: str, reason: str, to: str = "", tell: Tell = silent
    ) -> tuple[Deployed, Promotion | None]:
        """Go back to the version before, at once and without a canary; on production `production` moves with it.

        Args:
            by: who does it, for the history.
            reason: why, for the history.
            to: number or alias of a version that was in production before.

        Raises:
            GateError: there is no version to go back to, or no reason.
            IncidentError: the rollout was begun and failed; everything is as before, and it is written down.
            DeploymentError: nothing was begun.
        """
        target = self.environments.open(environment)
        number = self.registry.get(to).version if to else None
        if environment == PRODUCTION:
            moved = self.promoter.rollback(self.registry, by=by, reason=reason, to=number)
            version = moved.version
        else:
            moved, version = None, self._before(number)
        plan = replace(self.plan, canary=False)
        return self._deploy(target, environment, version, plan, self._pictures(), tell), moved

    def start_trial(self, environment: str, reference: str, share: float, tell: Tell = silent) -> Package:
        """Have another version take a share of an environment's pictures.

        Raises:
            DeploymentError: it cannot be tested there, or it failed; it is gone then.
        """
        target, version = self.environments.open(environment), self.registry.get(reference)
        package, _ = self._package(version)
        trial(target, package, share, self._golden(target, tell), tell)
        return package

    def end_trial(self, environment: str) -> Package | None:
        """End the A/B test of an environment.

        Returns:
            what was tested; None when there was none.
        """
        ended = end_trial(self.environments.open(environment))
        return ended.package if ended else None

    def _deploy(
        self, target: Target, environment: str, version: ModelVersion, plan: Plan, proof: Golden, tell: Tell
    ) -> Deployed:
        package, image = self._package(version)
        try:
            outcome = roll_out(target, package, plan, proof, tell, self.last.read(environment))
        except RolloutError as error:
            raise self._seen_to(target, environment, package, error) from error
        self.last.write(environment, package)
        self.incidents.close(package.model_version, environment)
        if image:
            self._note(version, image)
        cleaned = clean(self.environments, self.releases, self.last, target, package)
        return Deployed(environment, version, target.url, outcome, image, cleaned)

    def _package(self, version: ModelVersion) -> tuple[Package, ReleaseImage | None]:
        release = self.releases.build(self.registry, version)
        image = self.environments.image_of(release)
        return package_of(release, image.image if image else ""), image

    def _golden(self, target: Target, tell: Tell) -> Golden:
        pictures = self._pictures()
        if self.floor is not None:
            return pictures
        return with_floor(target, pictures, lambda words: tell(Step.LOOK, words))

    def _pictures(self) -> Golden:
        return golden(self.golden, self.floor or 0, self.key)

    def _before(self, number: str | None) -> ModelVersion:
        history = self.promoter.history()
        found = number or next((each.replaced for each in reversed(history) if each.replaced), None)
        if found is None:
            raise NoProductionModelError("there is nothing to go back to: no other version was in production before")
        return self.registry.get(found)

    def _seen_to(self, target: Target, environment: str, package: Package, error: RolloutError) -> IncidentError:
        """Write the incident down first; then bring the alias to what serves, where the release is at fault."""
        incident = self.incidents.report(
            Incident(
                environment=environment,
                target=self.environments.kind,
                step=error.step,
                tag=package.tag,
                model_version=package.model_version,
                image=package.image,
                reason=error.reason,
                seen=error.seen,
                blames_release=error.blames_release,
                restored=error.restored,
                stands=error.stands,
            )
        )
        moved = None
        if error.blames_release and environment == PRODUCTION:
            words, moved = self._moved_back(target, package, error.reason)
            incident = self.incidents.note_alias(incident, words)
        return IncidentError(incident, moved)

    def _moved_back(self, target: Target, package: Package, reason: str) -> tuple[str, Promotion | None]:
        """What became of the alias, in words: registry and environment are in one state where it could be moved."""
        try:
            stable = target.standing().stable
            if stable is None:
                return "'production' stays: nothing serves that it could go back to", None
            serves = stable.package.model_version
            if serves == package.model_version:
                return "", None
            said = f"version {package.model_version} could not be deployed: {reason}"
            moved = self.promoter.rollback(self.registry, by=_ROLLOUT, reason=said, to=serves)
        except WmsError as trouble:
            return f"'production' could not be moved back: {trouble}", None
        return f"'production' is version {serves} again", moved

    def _note(self, version: ModelVersion, image: ReleaseImage) -> None:
        """Have the version name its image, and its card with it; the same again mends what a kill left half done."""
        from wms_resources.after_promotion import renew_card  # brings a template engine, which loading is spared

        self.registry.note(version.version, {IMAGE_TAG: image.image})
        renew_card(self.registry, self.promoter.data_repo, self.workspace, version)
