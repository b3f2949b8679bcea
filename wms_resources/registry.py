"""The model registry: versions of one model in MLflow, with the alias `production` on the one that serves.

A version is bound to its file by the hash in its tags; whoever fetches it gets exactly those bytes or an error.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import dagster as dg

from wms_ml.errors import GateError, NoProductionModelError, RegistryError
from wms_ml.scoring import ScoreTable
from wms_resources.mlflow_calls import open_client, patiently
from wms_resources.model_files import fetch_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

PRODUCTION: Final = "production"
PREVIOUS: Final = "previous"
WEIGHTS_TAG: Final = "weights"
"""Tag of a version: content hash of its `weights.pt`, `sha256:...`."""

_MODEL: Final = "model/model.onnx"
_WEIGHTS: Final = "training/weights.pt"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model version.

    Attributes:
        name: the registered model's name.
        version: its number, as MLflow counts.
        run_id: MLflow run that trained it.
        digest: content hash of its ONNX file, `sha256:...`.
        data_version: data set it was trained on.
        tags: everything else that was noted.
    """

    name: str
    version: str
    run_id: str
    digest: str
    data_version: str
    tags: Mapping[str, str]

    @property
    def metrics(self) -> dict[str, float]:
        """Test Dice and IoU at the time it was judged."""
        return {name: float(self.tags[name]) for name in ("dice", "iou") if name in self.tags}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a version may be promoted: both score tables, and what they are about.

    Attributes:
        version: the challenger.
        champion: the version in production it was compared with; None when there was none.
        data_version: the data set whose test side was scored.
        challenger_scores: scores of the challenger.
        champion_scores: scores of the champion; None when there was none.
    """

    version: str
    champion: str | None
    data_version: str
    challenger_scores: ScoreTable
    champion_scores: ScoreTable | None


class Registry(dg.ConfigurableResource):
    """Versions of the platform's model.

    Attributes:
        uri: MLflow's address.
        model_name: name of the registered model.
        downloads: folder of fetched model files, by content.
        patience_seconds: how long MLflow may be away before a call fails; 0: not at all.
    """

    uri: str
    model_name: str
    downloads: str
    patience_seconds: float = 0

    @cached_property
    def client(self) -> "MlflowClient":
        """The MLflow client; moving aliases is promotion.py's business alone."""
        return open_client(self.uri)

    def versions(self) -> list[ModelVersion]:
        """Every version, newest first."""
        found = self._patiently("list model versions", lambda: self.client.search_model_versions(self._named))
        return sorted(map(self._version, found), key=lambda each: int(each.version), reverse=True)

    def champion(self) -> ModelVersion | None:
        """The version in production; None only when the registry answers that there is none.

        Raises:
            RegistryError: the registry does not answer.
        """
        search = partial(self.client.search_registered_models, self._named)
        models = self._patiently("read the registered model", search)
        aliases = models[0].aliases if models else {}
        return self.get(str(aliases[PRODUCTION])) if PRODUCTION in aliases else None

    def production(self) -> ModelVersion:
        """The version in production.

        Raises:
            NoProductionModelError: there is none yet.
        """
        champion = self.champion()
        if champion is None:
            raise NoProductionModelError(
                f"no version of '{self.model_name}' is in production yet: drop pictures (`wms drop DIR`) and run "
                "`wms run drop_to_deployment`, or `wms demo`"
            )
        return champion

    def get(self, reference: str) -> ModelVersion:
        """A version by its number or by an alias.

        Raises:
            NoProductionModelError: `production` was asked for and there is none.
            RegistryError: there is no such version.
        """
        if reference == PRODUCTION:
            return self.production()
        read = self.client.get_model_version if reference.isdigit() else self.client.get_model_version_by_alias
        what = f"find version or alias '{reference}' of '{self.model_name}'"
        return self._version(self._patiently(what, lambda: read(self.model_name, reference)))

    def register(self, run_id: str, digest: str, data_version: str, tags: dict[str, str]) -> ModelVersion:
        """Register the model of a finished run; the same run gives the same version again."""
        noted = {**tags, "digest": digest, "data_version": data_version}

        def found_or_made() -> Any:
            known = self.client.search_model_versions(f"{self._named} and run_id='{run_id}'")
            if known:
                return known[0]
            if not self.client.search_registered_models(self._named):
                self.client.create_registered_model(self.model_name)
            source = f"{self.client.get_run(run_id).info.artifact_uri}/model"
            return self.client.create_model_version(self.model_name, source, run_id=run_id, tags=noted)

        return self._version(self._patiently("register a model version", found_or_made))

    def fetch(self, version: ModelVersion) -> Path:
        """The version's ONNX file, from the local copies or from MLflow.

        Raises:
            RegistryError: it cannot be fetched, or is not the file that was registered.
        """
        return self._fetched(version, _MODEL, version.digest)

    def weights(self, version: ModelVersion) -> Path:
        """The version's `weights.pt`, from which a training can start.

        Raises:
            RegistryError: it cannot be fetched, or is not the file that was registered.
        """
        if WEIGHTS_TAG not in version.tags:
            said = f"version {version.version} has no tag '{WEIGHTS_TAG}', so no training can start from it"
            raise RegistryError(f"{said}: set WMS_TRAIN_INIT=scratch")
        return self._fetched(version, _WEIGHTS, version.tags[WEIGHTS_TAG])

    def note(self, version: str, tags: dict[str, str]) -> None:
        """Add tags to a version."""
        for name, value in tags.items():
            tag = partial(self.client.set_model_version_tag, self.model_name, version, name, value)
            self._patiently(f"tag version {version}", tag)

    def save_evidence(self, version: ModelVersion, evidence: Evidence) -> None:
        """Keep evidence with the run that trained the version."""
        path = _evidence_path(evidence.champion, evidence.data_version)
        store = partial(self.client.log_text, version.run_id, json.dumps(asdict(evidence)), path)
        self._patiently("store the gate's evidence", store)

    def evidence(self, version: ModelVersion, champion: ModelVersion | None, data_version: str) -> Evidence:
        """Evidence for exactly this version against exactly this champion on this data.

        Raises:
            GateError: there is none, or it is about something else.
        """
        path = _evidence_path(champion.version if champion else None, data_version)
        against = f"version {champion.version}" if champion else "an empty production"

        def read() -> str:
            stored = [entry.path for entry in self.client.list_artifacts(version.run_id, "evidence")]
            if path not in stored:
                said = f"no evidence for version {version.version} against {against} on data {data_version}"
                raise GateError(f"{said}: run train_and_gate")
            with tempfile.TemporaryDirectory() as scratch:
                return Path(self.client.download_artifacts(version.run_id, path, scratch)).read_text()

        return _checked(self._patiently("read the gate's evidence", read), version, champion, data_version)

    def _patiently(self, what: str, call: Callable[[], T]) -> T:
        return patiently(self.uri, self.patience_seconds, what, call)

    def _fetched(self, version: ModelVersion, path: str, digest: str) -> Path:
        fetch = partial(fetch_file, self.client, version.run_id, path, digest, Path(self.downloads))
        return self._patiently(f"fetch {path} of version {version.version}", fetch)

    @property
    def _named(self) -> str:
        return f"name='{self.model_name}'"

    def _version(self, entry: Any) -> ModelVersion:
        tags = dict(entry.tags)
        try:
            digest, data_version = tags.pop("digest"), tags.pop("data_version")
        except KeyError as error:
            said = f"version {entry.version} of '{self.model_name}' has no tag {error}"
            raise RegistryError(f"{said}: this platform did not register it") from error
        return ModelVersion(self.model_name, str(entry.version), str(entry.run_id), digest, data_version, tags)


def _evidence_path(champion: str | None, data_version: str) -> str:
    return f"evidence/{data_version}-against-{champion or 'none'}.json"


def _checked(text: str, version: ModelVersion, champion: ModelVersion | None, data_version: str) -> Evidence:
    try:
        values = json.loads(text)
        challenger = ScoreTable.parse(json.dumps(values["challenger_scores"]))
        theirs = ScoreTable.parse(json.dumps(values["champion_scores"])) if values["champion_scores"] else None
        evidence = Evidence(**{**values, "challenger_scores": challenger, "champion_scores": theirs})
    except (ValueError, TypeError, KeyError) as error:
        raise GateError(
            f"the evidence for version {version.version} is damaged ({error!r}): run train_and_gate"
        ) from error
    expected = (version.version, champion.version if champion else None, data_version, version.digest)
    stated = (evidence.version, evidence.champion, evidence.data_version, challenger.model)
    matches = expected == stated and challenger.data_version == data_version and challenger.split == "test"
    if champion:
        matches &= theirs is not None and (theirs.model, theirs.data_version) == (champion.digest, data_version)
    if not matches:
        raise GateError(f"the evidence for version {version.version} is about something else: run train_and_gate")
    return evidence
