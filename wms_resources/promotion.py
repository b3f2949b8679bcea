"""The one place where `production` moves.

It does not trust that a check ran: it re-reads the evidence for the version it is asked to promote and judges it again,
against the champion of this very moment. It moves in two steps, and only the first decides:

1. A line is added to the history in the data repository, by compare-and-set. Of two who decided on the ground of the
   same champion one is refused, on one machine or on two, so no lock is needed.
2. The registry's aliases follow the history. Whoever comes next does it when this process dies before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import Field

from wms_ml.errors import GateError, NoProductionModelError
from wms_ml.gate import Rule, Verdict, judge
from wms_resources.data_branch import BranchMovedError
from wms_resources.data_repo import DataRepo
from wms_resources.evidence import Evidence
from wms_resources.production_alias import Sight, followed, production, require_agreement, version_of
from wms_resources.production_records import (
    ROLLBACK,
    History,
    PromotionRecord,
    append,
    promoted,
    read_history,
    rolled_back,
)
from wms_resources.registry import ModelVersion, Registry


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion or rollback did.

    Attributes:
        version: the version in production now.
        replaced: the version that was there before; None when there was none, or only one put there by hand.
        verdict: the judgement; None for a rollback, and when nothing was to be done.
        line: what was written down; None when nothing was to be done.
    """

    version: ModelVersion
    replaced: ModelVersion | None
    verdict: Verdict | None
    line: PromotionRecord | None


def verdict_on(
    registry: Registry,
    version: ModelVersion,
    champion: ModelVersion | None,
    data_version: str,
    rule: Mapping[str, Any],
) -> Verdict | None:
    """Judge a version against the champion, as the caller has just read it; None when it is the champion itself.

    Args:
        rule: what is asked of a challenger, the parts of `Rule`.

    Raises:
        GateError: there is no evidence for exactly this comparison.
        RegistryError: the registry does not answer.
    """
    if champion and champion.version == version.version:
        return None
    return _judged(registry.evidence(version, champion, data_version), rule)


class Promoter(dg.ConfigurableResource):
    """Moves `production`, forward and back, and says what is there.

    Every method raises RegistryError or DataRepoError when registry or data repository does not answer; then nothing
    has happened, or it is finished by whoever calls next.
    """

    data_repo: DataRepo
    rule: dict[str, Any] = Field(default={}, description="What is asked of a challenger, the parts of `Rule`.")

    def promote(self, registry: Registry, reference: str, data_version: str, *, by: str, reason: str) -> Promotion:
        """Put a version into production, if it is better; promoting the champion again changes nothing.

        Args:
            reference: its number, or an alias.
            data_version: data set whose test side it was judged on.
            by: who does it; the history keeps it, as it does `reason`.

        Raises:
            GateError: it is not better, there is no evidence that it is, it was rolled back from, somebody else was
                first, or registry and history contradict each other.
        """
        _require_words(by, reason)
        history, champion = production(registry, self.data_repo)
        version = registry.get(reference)
        if champion and champion.version == version.version:
            return Promotion(version, None, None, None)
        _refuse_withdrawn(history, version)
        evidence = registry.evidence(version, champion, data_version)
        verdict = _judged(evidence, self.rule)
        if not verdict.improved:
            raise GateError(f"version {version.version} is refused: {verdict.reason}")
        line = promoted(version, champion, evidence, verdict, by=by, reason=reason)
        self._move(registry, history, line, version)
        return Promotion(version, champion, verdict, line)

    def rollback(self, registry: Registry, *, by: str, reason: str, to: str | None = None) -> Promotion:
        """Put a version into production that was there before; it needs a reason, and no evidence.

        A rollback that was cut off is finished instead of going one further.

        Args:
            by: who does it; the history keeps it, as it does `reason`.
            to: number of the version, which may be the recorded one after somebody moved the alias by hand; None for
                the one before, leaving out versions that were rolled back from.

        Raises:
            GateError: there is no such version in the history, or no reason, or somebody else was first.
        """
        _require_words(by, reason)
        sight = followed(registry, self.data_repo)
        target = self._before(sight) if to is None else _ever(sight.history, to)
        version = version_of(registry, target)
        if sight.agrees and sight.alias == version.version:
            return Promotion(version, None, None, None)
        line = rolled_back(sight.history, sight.alias, target, by=by, reason=reason)
        replaced = registry.get(line.replaced) if line.replaced and line.replaced_digest else None
        self._move(registry, sight.history, line, version)
        return Promotion(version, replaced, None, line)

    def history(self) -> list[PromotionRecord]:
        """Every move of `production`, oldest first."""
        return list(read_history(self.data_repo).records)

    def champion(self, registry: Registry) -> ModelVersion | None:
        """As `in_production`, but None when nothing was ever promoted."""
        return production(registry, self.data_repo)[1]

    def in_production(self, registry: Registry) -> ModelVersion:
        """The version in production, by history and registry; a move that was cut off is finished first.

        Raises:
            NoProductionModelError: there is none yet.
            GateError: the two contradict each other.
        """
        champion = self.champion(registry)
        if champion is None:
            raise NoProductionModelError(registry.nothing_yet)
        return champion

    def _before(self, sight: Sight) -> PromotionRecord:
        require_agreement(sight, self.data_repo)
        last, before = sight.history.last, sight.history.before()
        if sight.finished and last and last.action == ROLLBACK:
            return last
        if before is None:
            raise GateError("there is nothing to roll back to: no other version was in production before")
        return before

    def _move(self, registry: Registry, history: History, line: PromotionRecord, version: ModelVersion) -> None:
        try:
            append(self.data_repo, history, line, version)
        except BranchMovedError as error:
            raise GateError(
                f"version {version.version} is refused: somebody else moved production at this moment, so what it was "
                "decided on does not hold any more. See `wms models list`, then judge with `wms run train_and_gate`"
            ) from error
        production(registry, self.data_repo)


def _judged(evidence: Evidence, rule: Mapping[str, Any]) -> Verdict:
    return judge(evidence.challenger_scores, evidence.champion_scores, Rule(**rule))


def _require_words(by: str, reason: str) -> None:
    if not (by.strip() and reason.strip()):
        raise GateError("production moves only with a name and a reason: say why with --reason")


def _refuse_withdrawn(history: History, version: ModelVersion) -> None:
    """Evidence that a person has overruled does not count again: the gate did not see what they saw."""
    rollback = history.withdrawn(version.version)
    if rollback:
        raise GateError(
            f"version {version.version} is refused: {rollback.by} rolled back from it at {rollback.time} "
            f"({rollback.reason}). `wms models rollback --to {version.version} --reason ...` puts it back"
        )


def _ever(history: History, version: str) -> PromotionRecord:
    found = history.of(version)
    if found is None:
        raise GateError(f"version {version} was never in production: `wms models list` shows which were")
    return found
