"""Two versions on the same test pictures: from the gate's evidence where it has both, otherwise scored now."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wms_ml.dataset import load_dataset
from wms_ml.errors import SettingsError
from wms_ml.gate import Rule, Verdict, judge
from wms_ml.score_report import as_json
from wms_ml.scoring import ScoreTable
from wms_ml.split import TEST
from wms_resources.data_history import find as find_data
from wms_resources.manifests import data_set
from wms_resources.model_facts import kept_evidence
from wms_resources.model_list import find
from wms_resources.registry import ModelVersion

if TYPE_CHECKING:
    from wms.definitions import Resources


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions, side by side.

    Attributes:
        versions: the one that would come, the one that would go.
        scores: of each, on the same pictures.
        kept: whether the scores are the gate's evidence; otherwise they were made for this.
        verdict: what the gate would say.
    """

    versions: tuple[ModelVersion, ModelVersion]
    scores: tuple[ScoreTable, ScoreTable]
    kept: bool
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """All of it but the pictures one by one, as JSON values."""
        return {
            "versions": [each.version for each in self.versions],
            "digests": [each.digest for each in self.versions],
            "data_version": self.scores[0].data_version,
            "from": "evidence" if self.kept else "scored now",
            "verdict": self.verdict.as_json(),
            "scores": [as_json(each) for each in self.scores],
        }


def compare(parts: "Resources", ref: str, other: str, data: Path | None, rule: Rule) -> Comparison:
    """Compare two versions by their number or alias.

    Args:
        data: folder whose test side both are scored on; None: kept evidence, else the newest accepted data set.

    Raises:
        SettingsError: both are the same version.
        RegistryError: there is no such version, or the registry does not answer.
        DataRepoError: no data is accepted yet, or its content cannot be had.
        DataError: there are no test pictures.
    """
    ours, theirs = find(parts.registry, ref).model, find(parts.registry, other).model
    if ours.digest == theirs.digest:
        raise SettingsError(f"{ref} and {other} are the same model, version {ours.version}: name two")
    kept = None if data else _from_evidence(parts, ours, theirs)
    scores = kept or _scored(parts, ours, theirs, data)
    return Comparison((ours, theirs), scores, kept is not None, judge(*scores, rule))


def _from_evidence(
    parts: "Resources", ours: ModelVersion, theirs: ModelVersion
) -> tuple[ScoreTable, ScoreTable] | None:
    """Score tables of both on the same pictures, those on the newer version's data first; None without."""
    tables = {(table.data_version, table.model): table for each in (theirs, ours) for table in _tables(parts, each)}
    newest = max(ours, theirs, key=lambda each: int(each.version)).data_version
    versions = sorted({data for data, _ in tables}, key=lambda data: data != newest)
    for data in versions:
        mine, other = tables.get((data, ours.digest)), tables.get((data, theirs.digest))
        if mine and other and [row.pair_id for row in mine.rows] == [row.pair_id for row in other.rows]:
            return mine, other
    return None


def _tables(parts: "Resources", version: ModelVersion) -> Iterator[ScoreTable]:
    for each in kept_evidence(parts.registry, version):
        if each.evidence:
            yield each.evidence.challenger_scores
            if each.evidence.champion_scores:
                yield each.evidence.champion_scores


def _scored(
    parts: "Resources", ours: ModelVersion, theirs: ModelVersion, data: Path | None
) -> tuple[ScoreTable, ScoreTable]:
    from wms_ml.evaluation import evaluate

    folder = data or _accepted(parts)
    models = [parts.registry.fetch(each) for each in (ours, theirs)]
    first, second = evaluate(folder, load_dataset(folder), models, TEST)
    return first, second


def _accepted(parts: "Resources") -> Path:
    edition = find_data(parts.data_repo, "main")
    place = parts.workspace.datasets / edition.data_version
    return data_set(parts.data_repo, edition.recorded.version, edition.pairs, place)
