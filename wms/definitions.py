"""All of Dagster, listed by hand: what exists, what runs it, with what."""

from dataclasses import asdict, dataclass, fields

import dagster as dg

from wms.console import console
from wms.deployer_of import deployer_of
from wms.settings import Settings, load_settings
from wms_assets.dataset import quality_checks, raw_dataset, validated_dataset
from wms_assets.deployment import deployed_image
from wms_assets.deployment_jobs import deploy_status, rollback_deployment
from wms_assets.gate_check import better_than_production
from wms_assets.jobs import deploy_current, drop_to_deployment, train_and_gate
from wms_assets.model import production_model, trained_model
from wms_resources.compute import LocalCompute
from wms_resources.data_repo import DataRepo
from wms_resources.deployment.deployer import Deployer
from wms_resources.handover import Handover
from wms_resources.inspector import Inspector
from wms_resources.promotion import Promoter
from wms_resources.quarantine import Quarantine
from wms_resources.registry import Registry
from wms_resources.store import Store
from wms_resources.tracking import Tracking
from wms_resources.trainer import Trainer
from wms_resources.workspace import Workspace
from wms_sensors.drops import new_drops
from wms_sensors.orphans import dead_runs
from wms_sensors.reconciler import reconciler


@dataclass(frozen=True, slots=True)
class Resources:
    """What the assets and the commands work with, for one set-up."""

    io_manager: Handover
    workspace: Workspace
    store: Store
    inspector: Inspector
    quarantine: Quarantine
    data_repo: DataRepo
    tracking: Tracking
    registry: Registry
    promoter: Promoter
    trainer: Trainer
    deployer: Deployer


def resources(settings: Settings, patience_seconds: float = 0) -> Resources:
    """The resources that a set-up's settings ask for.

    Args:
        patience_seconds: how long they wait for an MLflow that is away. Runs wait; people at a terminal are told.
    """
    home = settings.home
    tracking = Tracking(
        uri=settings.tracking_uri,
        artifacts=str(home / "mlflow" / "artifacts"),
        experiment=settings.experiment,
        patience_seconds=patience_seconds,
    )
    data_repo = DataRepo(
        path=str(home / "data-repo"), origin=str(home / "code-host" / "data.git"), remote=settings.remote
    )
    registry = Registry(
        uri=settings.tracking_uri,
        model_name=settings.model_name,
        downloads=str(home / "models"),
        patience_seconds=patience_seconds,
    )
    promoter = Promoter(data_repo=data_repo, rule=asdict(settings.gate_rule()))
    return Resources(
        io_manager=Handover(folder=str(home / "handover")),
        workspace=Workspace(home=str(home)),
        store=_store(settings),
        inspector=_inspector(settings),
        quarantine=Quarantine(folder=str(home / "quarantine")),
        data_repo=data_repo,
        tracking=tracking,
        registry=registry,
        promoter=promoter,
        trainer=_trainer(settings, tracking),
        deployer=deployer_of(settings, registry, promoter),
    )


def _trainer(settings: Settings, tracking: Tracking) -> Trainer:
    return Trainer(
        compute=LocalCompute(),
        tracking=tracking,
        recipe=asdict(settings.recipe()),
        attempts=settings.train_attempts,
        init=settings.train_init,
        folder=str(settings.home / "training"),
        cache=str(settings.home / "cache"),
    )


def _store(settings: Settings) -> Store:
    return Store(
        url=settings.store,
        settle_seconds=settings.settle_seconds,
        reconcile_seconds=settings.reconcile_seconds,
        own=not settings.store_url,
    )


def _inspector(settings: Settings) -> Inspector:
    return Inspector(
        folder=str(settings.home / "quality"),
        thresholds=asdict(settings.thresholds()),
        decode_seconds=settings.decode_seconds,
        decode_megabytes=settings.decode_megabytes,
        workers=settings.decode_workers,
        quarantine=settings.quarantine,
    )


def build(settings: Settings) -> dg.Definitions:
    """The code location for one set-up."""
    parts = resources(settings, settings.mlflow_patience_seconds)
    return dg.Definitions(
        assets=[raw_dataset, validated_dataset, trained_model, production_model, deployed_image],
        asset_checks=[quality_checks, better_than_production],
        jobs=[drop_to_deployment, train_and_gate, deploy_current, rollback_deployment, deploy_status],
        sensors=[new_drops, dead_runs, reconciler],
        resources={field.name: getattr(parts, field.name) for field in fields(parts)},
        loggers={"console": console},
        # Steps are few and training is a process of its own: another process a step would only add seconds.
        executor=dg.in_process_executor,
    )


defs = build(load_settings())
