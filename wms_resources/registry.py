"""The model registry: versions of one model in MLflow, with the alias `production` on the one that serves.

A version is bound to its file by the hash in its tags; whoever fetches it gets exactly those bytes or an error.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from wms_ml.errors import GateError, NoProductionModelError, RegistryError
from wms_ml.files import sha256_of, whole
from wms_ml.scoring import ScoreTable
from wms_resources.tracking import open_client, reaching

if TYPE_CHECKING:
    from mlflow import MlflowClient

PRODUCTION: Final = "production"
PREVIOUS: Final = "previous"
_MODEL: Final = "model/model.onnx"


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
    """

    uri: str
    model_name: str
    downloads: str

    @cached_property
    def client(self) -> "MlflowClient":
        """The MLflow client; moving aliases is promotion.py's business alone."""
        return open_client(self.uri)

    def versions(self) -> list[ModelVersion]:
        """Every version, newest first."""
        with reaching(self.uri, "list model versions"):
            found = self.client.search_model_versions(f"name='{self.model_name}'")
        versions = [self._version(entry) for entry in found]
        return sorted(versions, key=lambda each: int(each.version), reverse=True)

    def champion(self) -> ModelVersion | None:
        """The version in production; None only when the registry answers that there is none.

        Raises:
            RegistryError: the registry does not answer.
        """
        with reaching(self.uri, "read the registered model"):
            models = self.client.search_registered_models(f"name='{self.model_name}'")
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
        with reaching(self.uri, f"find version or alias '{reference}' of '{self.model_name}'"):
            if reference.isdigit():
                return self._version(self.client.get_model_version(self.model_name, reference))
            return self._version(self.client.get_model_version_by_alias(self.model_name, reference))

    def register(self, run_id: str, digest: str, data_version: str, tags: dict[str, str]) -> ModelVersion:
        """Register the model of a finished run; the same run gives the same version again."""
        with reaching(self.uri, "register a model version"):
            known = self.client.search_model_versions(f"name='{self.model_name}' and run_id='{run_id}'")
            if known:
                return self._version(known[0])
            if not self.client.search_registered_models(f"name='{self.model_name}'"):
                self.client.create_registered_model(self.model_name)
            source = f"{self.client.get_run(run_id).info.artifact_uri}/model"
            noted = {**tags, "digest": digest, "data_version": data_version}
            entry = self.client.create_model_version(self.model_name, source, run_id=run_id, tags=noted)
        return self._version(entry)

    def fetch(self, version: ModelVersion) -> Path:
        """The version's ONNX file, from the local copies or from MLflow.

        Raises:
            RegistryError: it cannot be fetched, or is not the file that was registered.
        """
        wanted = version.digest.removeprefix("sha256:")
        target = Path(self.downloads) / wanted / "model.onnx"
        if not (target.exists() and sha256_of(target) == wanted):
            with (
                reaching(self.uri, f"fetch version {version.version}"),
                tempfile.TemporaryDirectory() as scratch,
            ):
                fetched = Path(self.client.download_artifacts(version.run_id, _MODEL, scratch))
                if sha256_of(fetched) != wanted:
                    raise RegistryError(
                        f"the file of version {version.version} is not the one that was registered ({version.digest}): "
                        "restore it, or train again"
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                with whole(target) as part:
                    shutil.copyfile(fetched, part)
        return target

    def note(self, version: str, tags: dict[str, str]) -> None:
        """Add tags to a version."""
        with reaching(self.uri, f"tag version {version}"):
            for name, value in tags.items():
                self.client.set_model_version_tag(self.model_name, version, name, value)

    def save_evidence(self, version: ModelVersion, evidence: Evidence) -> None:
        """Keep evidence with the run that trained the version."""
        with reaching(self.uri, "store the gate's evidence"):
            self.client.log_text(
                version.run_id,
                json.dumps(asdict(evidence)),
                _evidence_path(evidence.champion, evidence.data_version),
            )

    def evidence(self, version: ModelVersion, champion: ModelVersion | None, data_version: str) -> Evidence:
        """Evidence for exactly this version against exactly this champion on this data.

        Raises:
            GateError: there is none, or it is about something else.
        """
        path = _evidence_path(champion.version if champion else None, data_version)
        against = f"version {champion.version}" if champion else "an empty production"
        with reaching(self.uri, "read the gate's evidence"), tempfile.TemporaryDirectory() as scratch:
            stored = [entry.path for entry in self.client.list_artifacts(version.run_id, "evidence")]
            if path not in stored:
                raise GateError(
                    f"no evidence for version {version.version} against {against} on data {data_version}: "
                    "run train_and_gate"
                )
            text = Path(self.client.download_artifacts(version.run_id, path, scratch)).read_text()
        return _checked(text, version, champion, data_version)

    def _version(self, entry: Any) -> ModelVersion:
        tags = dict(entry.tags)
        try:
            digest, data_version = tags.pop("digest"), tags.pop("data_version")
        except KeyError as error:
            raise RegistryError(
                f"version {entry.version} of '{self.model_name}' has no tag {error}: this platform did not register it"
            ) from error
        return ModelVersion(self.model_name, str(entry.version), str(entry.run_id), digest, data_version, tags)


def _evidence_path(champion: str | None, data_version: str) -> str:
    return f"evidence/{data_version}-against-{champion or 'none'}.json"


def _checked(text: str, version: ModelVersion, champion: ModelVersion | None, data_version: str) -> Evidence:
    try:
        values = json.loads(text)
        tables = {name: values[name] for name in ("challenger_scores", "champion_scores")}
        challenger = ScoreTable.parse(json.dumps(tables["challenger_scores"]))
        theirs = ScoreTable.parse(json.dumps(tables["champion_scores"])) if tables["champion_scores"] else None
        evidence = Evidence(**{**values, "challenger_scores": challenger, "champion_scores": theirs})
    except (ValueError, TypeError, KeyError) as error:
        raise GateError(
            f"the evidence for version {version.version} is damaged ({error!r}): run train_and_gate"
        ) from error
    expected = (version.version, champion.version if champion else None, data_version, version.digest)
    stated = (evidence.version, evidence.champion, evidence.data_version, challenger.model)
    matches = expected == stated and challenger.data_version == data_version and challenger.split == "test"
    if champion:
        matches = (
            matches and theirs is not None and theirs.model == champion.digest and theirs.data_version == data_version
        )
    if not matches:
        raise GateError(f"the evidence for version {version.version} is about something else: run train_and_gate")
    return evidence
