"""The model registry: versions of one model in MLflow, with the alias `production` on the one that serves.

A version is bound to its file by the hash in its tags; whoever fetches it gets exactly those bytes or an error.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import dagster as dg

from wms_ml.errors import NoProductionModelError, RegistryError
from wms_resources.evidence import Evidence, check_evidence, evidence_path, refused
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
        found = self.ask("list model versions", lambda: self.client.search_model_versions(self.named))
        return sorted(map(self.version_in, found), key=lambda each: int(each.version), reverse=True)

    def holder(self, alias: str) -> str | None:
        """Number of the version that carries an alias; None only when the registry answers that none does.

        Raises:
            RegistryError: the registry does not answer.
        """
        search = partial(self.client.search_registered_models, self.named)
        models = self.ask("read the registered model", search)
        aliases = models[0].aliases if models else {}
        return str(aliases[alias]) if alias in aliases else None

    def champion(self) -> ModelVersion | None:
        """The version with the alias `production`; None only when the registry answers that there is none.

        Whether it came there by the gate, `Promoter.in_production` knows.

        Raises:
            RegistryError: the registry does not answer.
        """
        number = self.holder(PRODUCTION)
        return None if number is None else self.get(number)

    def production(self) -> ModelVersion:
        """The version in production.

        Raises:
            NoProductionModelError: there is none yet.
        """
        champion = self.champion()
        if champion is None:
            raise NoProductionModelError(self.nothing_yet)
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
        return self.version_in(self.ask(what, lambda: read(self.model_name, reference)))

    def register(self, run_id: str, digest: str, data_version: str, tags: dict[str, str]) -> ModelVersion:
        """Register the model of a finished run; the same run gives the same version again, with tags that it lacked."""
        noted = {**tags, "digest": digest, "data_version": data_version}

        def found_or_made() -> Any:
            known = self.client.search_model_versions(f"{self.named} and run_id='{run_id}'")
            if known:
                return known[0]
            if not self.client.search_registered_models(self.named):
                self.client.create_registered_model(self.model_name)
            source = f"{self.client.get_run(run_id).info.artifact_uri}/model"
            return self.client.create_model_version(self.model_name, source, run_id=run_id, tags=noted)

        version = self.version_in(self.ask("register a model version", found_or_made))
        lacking = {name: value for name, value in tags.items() if name not in version.tags}
        self.note(version.version, lacking)
        return replace(version, tags={**version.tags, **lacking})

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
            self.ask(f"tag version {version}", tag)

    def save_evidence(self, version: ModelVersion, evidence: Evidence) -> None:
        """Keep evidence with the run that trained the version, then bind it to the version by its hash."""
        text, path = evidence.dump().decode(), evidence_path(evidence.champion, evidence.data_version)
        self.ask("store the gate's evidence", lambda: self.client.log_text(version.run_id, text, path))
        self.note(version.version, {path: evidence.digest})

    def evidence(self, version: ModelVersion, champion: ModelVersion | None, data_version: str) -> Evidence:
        """Evidence for exactly this version against exactly this champion on this data.

        Raises:
            GateError: there is none, it is not what was written, or it is about something else.
        """
        path = evidence_path(champion.version if champion else None, data_version)

        def read() -> bytes:
            if path not in [entry.path for entry in self.client.list_artifacts(version.run_id, "evidence")]:
                against = f"version {champion.version}" if champion else "an empty production"
                raise refused(f"no evidence for version {version.version} against {against} on data {data_version}")
            with tempfile.TemporaryDirectory() as scratch:
                return Path(self.client.download_artifacts(version.run_id, path, scratch)).read_bytes()

        return check_evidence(self.ask("read the gate's evidence", read), version, champion, data_version)

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """The outcome of a call of the client, made with this registry's patience; `what` says what it is for.

        Raises:
            RegistryError: the registry does not answer, or refuses.
        """
        return patiently(self.uri, self.patience_seconds, what, call)

    def _fetched(self, version: ModelVersion, path: str, digest: str) -> Path:
        fetch = partial(fetch_file, self.client, version.run_id, path, digest, Path(self.downloads))
        return self.ask(f"fetch {path} of version {version.version}", fetch)

    @property
    def nothing_yet(self) -> str:
        """What people read while no version is in production."""
        said = f"no version of '{self.model_name}' is in production yet: drop pictures (`wms drop DIR`)"
        return f"{said} and run `wms run drop_to_deployment`, or `wms demo`"

    @property
    def named(self) -> str:
        """What MLflow is asked for, to find the model and its versions."""
        return f"name='{self.model_name}'"

    def version_in(self, entry: Any) -> ModelVersion:
        """The version that an entry of MLflow's registry tells of."""
        tags = dict(entry.tags)
        try:
            digest, data_version = tags.pop("digest"), tags.pop("data_version")
        except KeyError as error:
            said = f"version {entry.version} of '{self.model_name}' has no tag {error}"
            raise RegistryError(f"{said}: this platform did not register it") from error
        return ModelVersion(self.model_name, str(entry.version), str(entry.run_id), digest, data_version, tags)
