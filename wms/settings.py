"""All settings, in one class: `WMS_*` variables or a `.env` file, over the defaults of a profile.

The default profile, `local`, needs nothing: folders, SQLite, local processes, all below WMS_HOME. It refuses half a
configuration and misspelt variables, with a sentence that names them.
"""

import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal

from dotenv import dotenv_values
from pydantic import Field, Json, SecretStr, ValidationError, create_model, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.settings import ServingSettings
from serving.settings import load_settings as load_serving_settings
from wms_ml.errors import SettingsError
from wms_ml.gate import Rule
from wms_ml.quality.thresholds import Thresholds
from wms_ml.recipe import Recipe, preset

_SOURCE: Final = Path(__file__).resolve().parent.parent
PROJECT: Final = _SOURCE if (_SOURCE / "pyproject.toml").exists() else Path.cwd()
"""The project folder: the checkout, or where the command was called when the package is installed alone."""


_MIRRORED: Final[dict[str, Any]] = {
    f"{prefix}_{field.name}": (type(field.default), Field(field.default))
    for prefix, source in (("qa", Thresholds), ("train", Recipe))
    for field in fields(source)
}
_Mirror: Final[Any] = create_model("_Mirror", __base__=BaseSettings, **_MIRRORED)
"""A setting for each threshold of the data quality rules and each part of a recipe; what they mean stands there."""


class Settings(_Mirror):
    """Settings of one set-up. Two set-ups live side by side when their `home` differs."""

    model_config = SettingsConfigDict(
        env_prefix="WMS_", env_file=PROJECT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    profile: Literal["local", "aws"] = Field("local", description="`local`: folders and processes; `aws`: the cloud")
    home: Path = Field(PROJECT / ".wms", description="where all state lives; removing it starts over")
    store_url: str = Field("", description="object store of the drops: a folder or s3://bucket/prefix")
    dvc_remote: str = Field("", description="DVC remote of the pictures: a folder or s3://bucket/prefix")
    mlflow_tracking_uri: str = Field("", description="MLflow tracking and registry; SQLite below home by default")
    mlflow_patience_seconds: float = Field(300, ge=0, description="how long a run waits for MLflow to come back")
    model_name: str = Field("water-meter-segmentation", description="name in the model registry")
    user: str = Field("", description="who moves `production`, for its history; login@host by default")
    experiment: str = Field("water-meters", description="MLflow experiment of the trainings")
    settle_seconds: int = Field(60, ge=1, description="a drop copied by hand is complete after so long without change")
    reconcile_seconds: int = Field(300, ge=10, description="how often the sensor looks for late files in all drops")

    quarantine: bool = Field(False, description="set bad pairs aside and go on with the others of a drop")
    decode_seconds: float = Field(20, gt=0, description="time that decoding one file may take, seconds")
    decode_megabytes: int = Field(2048, ge=256, description="memory that decoding one file may take, megabytes")
    decode_workers: int = Field(2, ge=1, description="files that are decoded at a time")

    serve_host: str = Field("127.0.0.1", description="address the service listens on")
    serve_port: int = Field(0, ge=0, le=65535, description="its port; 0: the first free one from 8000 on, then kept")

    deploy_target: Literal["process", "container", "k3s"] = Field("process", description="what runs the service")
    deploy_environment: Literal["staging", "production"] = Field("production", description="where runs deploy to")
    image_repository: str = Field("", description="registry and name of the images: registry.example:5000/meters")
    image_base: str = Field("python:3.11-slim-bookworm", description="image that the service's image is built on")
    image_builder: Literal["auto", "docker", "podman"] = Field("auto", description="what builds it")
    registry_user: str = Field("", description="login of the registry; ECR needs none")
    registry_password: SecretStr = Field(SecretStr(""), description="and its password")
    helm: str = Field("helm", description="the command helm, version 3 or 4")
    helm_values: str = Field("", description="file of chart values of your own, over those of the environment")
    kubectl: str = Field("kubectl", description="the command kubectl")
    kube_context: str = Field("", description="context of the kubeconfig; empty: the current one")
    cluster_host: str = Field("", description="where callers reach the cluster's nodes; empty: the address of one")
    namespace_prefix: str = Field("wms", description="namespaces are PREFIX-staging and PREFIX-production")
    canary_share: float = Field(0.1, gt=0, le=0.5, description="share of the pictures that a canary is sent")
    canary_seconds: float | None = Field(None, ge=0, description="how long it is watched; 0: production has no canary")
    canary_requests: int = Field(20, ge=1, description="pictures that each track answers meanwhile, at least")
    golden: str = Field("", description="images/ and masks/ of pictures with a known answer; empty: rendered ones")
    golden_iou: float | None = Field(
        None, ge=0, le=1, description="mean IoU on them that a new service must reach; empty: half the one before's"
    )
    notify_webhook: SecretStr = Field(SecretStr(""), description="address that incidents are posted to, as JSON")

    train_preset: str = Field("", description="a recipe by name (`source`); WMS_TRAIN_* that are set overrule it")
    train_init: Literal["scratch", "champion"] = Field("scratch", description="weights that attempts start from")
    train_attempts: int = Field(3, ge=1, le=10, description="attempts with different seeds at most")

    gate_minimum_gain: float = Field(0, description="Dice and IoU must exceed production's by more than this")
    gate_confidence: float = Field(0.95, description="how sure the gain should be")
    gate_confidence_policy: str = Field("warn", description="`warn` of a gain less sure than that, or `block` it")
    gate_slice_floors: Json[dict[str, float]] = Field(
        "{}",  # type: ignore[arg-type]  # pydantic parses the default as it parses what people write
        description="lowest mean Dice of slices, JSON",
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @model_validator(mode="after")
    def _cloud_is_complete(self) -> "Settings":
        if self.profile == "aws":
            missing = [
                f"WMS_{name.upper()}"
                for name in ("store_url", "dvc_remote", "mlflow_tracking_uri")
                if not getattr(self, name)
            ]
            if missing:
                raise ValueError(f"WMS_PROFILE=aws also needs {', '.join(missing)} (docs/settings.md)")
        return self

    @model_validator(mode="after")
    def _deployment_is_complete(self) -> "Settings":
        if self.deploy_target != "process" and not self.image_repository:
            raise ValueError(
                f"WMS_DEPLOY_TARGET={self.deploy_target} also needs WMS_IMAGE_REPOSITORY (docs/settings.md)"
            )
        if bool(self.registry_user) != bool(self.registry_password.get_secret_value()):
            raise ValueError("WMS_REGISTRY_USER and WMS_REGISTRY_PASSWORD go together (docs/settings.md)")
        return self

    @property
    def store(self) -> str:
        """Address of the object store."""
        return self.store_url or str(self.home / "store")

    @property
    def remote(self) -> str:
        """Address of the DVC remote."""
        return self.dvc_remote or str(self.home / "dvc-remote")

    @property
    def tracking_uri(self) -> str:
        """Address of MLflow."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def watch_seconds(self) -> float:
        """How long a canary in production is watched; a process on a laptop is replaced without, unless asked for."""
        if self.canary_seconds is not None:
            return self.canary_seconds
        return 300 if self.deploy_target == "k3s" else 0

    @property
    def service_key(self) -> str:
        """What callers of the services must show; empty: nothing."""
        return load_serving_settings().api_key.get_secret_value()

    @property
    def dagster_home(self) -> Path:
        """Dagster's own state: runs, events, schedules."""
        return self.home / "dagster"

    def thresholds(self) -> Thresholds:
        """Where the rules of data quality draw their lines.

        Raises:
            SettingsError: one is out of its range.
        """
        try:
            return Thresholds(**{line.name: getattr(self, f"qa_{line.name}") for line in fields(Thresholds)})
        except SettingsError as error:
            name, _, said = str(error).partition(" ")
            raise SettingsError(f"WMS_QA_{name.upper()} {said} (docs/data-quality.md)") from error

    def gate_rule(self) -> Rule:
        """What a challenger must show to go into production.

        Raises:
            SettingsError: a part is out of its range, or names a slice that there is not.
        """
        return Rule(**{part.name: getattr(self, f"gate_{part.name}") for part in fields(Rule)})

    def recipe(self) -> Recipe:
        """The recipe of the first training attempt.

        Raises:
            SettingsError: no training can work with it.
        """
        values = {part.name: getattr(self, f"train_{part.name}") for part in fields(Recipe)}
        try:
            named = preset(self.train_preset)
            values |= {name: named[name] for name in named if f"train_{name}" not in self.model_fields_set}
            return Recipe(**values)
        except SettingsError as error:
            name, _, said = str(error).partition(" ")
            raise SettingsError(f"WMS_TRAIN_{name.upper()} {said} (docs/training.md)") from error


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and `.env`.

    Raises:
        SettingsError: a variable is unknown, malformed or missing; one sentence a problem.
    """
    _refuse_unknown([*os.environ, *dotenv_values(PROJECT / ".env")])
    try:
        settings = Settings(**overrides)
        settings.recipe()
        settings.thresholds()
        settings.gate_rule()
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(problem) for problem in error.errors())) from error
    return settings


def known_names() -> set[str]:
    """Every variable that there is, the service's own among them."""
    return {
        f"{settings.model_config['env_prefix']}{name.upper()}"
        for settings in (Settings, ServingSettings)
        for name in settings.model_fields
    }


def _refuse_unknown(names: Iterable[str]) -> None:
    known = known_names()
    unknown = sorted(name for name in names if name.startswith("WMS_") and name not in known)
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}: `wms doctor` lists the settings there are")


def _sentence(problem: Any) -> str:
    where = str(problem["loc"][0]) if problem["loc"] else ""  # what follows the name is a key inside the value
    message = problem["msg"].removeprefix("Value error, ")
    return f"WMS_{where.upper()}={problem['input']!r}: {message}" if where else message
