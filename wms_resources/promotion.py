"""The one place where `production` moves.

It does not trust that a check ran: it re-reads the evidence for the version it is asked to promote and judges it again,
against the champion of this very moment, under a lock.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg
from filelock import FileLock

from wms_ml.errors import GateError
from wms_ml.gate import Verdict, judge
from wms_resources.mlflow_calls import patiently
from wms_resources.registry import PREVIOUS, PRODUCTION, ModelVersion, Registry


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did.

    Attributes:
        version: the version in production now.
        replaced: the version that was there before; None when there was none.
        verdict: the judgement; None when the version had been promoted before and nothing was to be done.
    """

    version: ModelVersion
    replaced: ModelVersion | None
    verdict: Verdict | None


def verdict_on(
    registry: Registry, version: ModelVersion, champion: ModelVersion | None, data_version: str
) -> Verdict | None:
    """Judge a version against the champion, as the caller has just read it; None when it is the champion itself.

    Raises:
        GateError: there is no evidence for exactly this comparison.
        RegistryError: the registry does not answer.
    """
    if champion and champion.version == version.version:
        return None
    evidence = registry.evidence(version, champion, data_version)
    return judge(evidence.challenger_scores, evidence.champion_scores)


class Promoter(dg.ConfigurableResource):
    """Moves `production`, one caller at a time.

    Attributes:
        lock: path of the lock file.
    """

    lock: str

    def promote(self, registry: Registry, reference: str, data_version: str) -> Promotion:
        """Put a version into production; promoting the champion again changes nothing.

        Raises:
            GateError: it is not better, or there is no evidence that it is.
            RegistryError: the registry does not answer.
        """
        Path(self.lock).parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.lock):
            version, champion = registry.get(reference), registry.champion()
            verdict = verdict_on(registry, version, champion, data_version)
            if verdict is None:
                return Promotion(version, None, None)
            if not verdict.improved:
                raise GateError(f"version {version.version} is refused: {verdict.reason}")
            if champion:
                _move(registry, PREVIOUS, champion)
            _move(registry, PRODUCTION, version)
            return Promotion(version, champion, verdict)


def _move(registry: Registry, alias: str, version: ModelVersion) -> None:
    move = partial(registry.client.set_registered_model_alias, registry.model_name, alias, version.version)
    patiently(registry.uri, registry.patience_seconds, f"move the alias '{alias}'", move)
