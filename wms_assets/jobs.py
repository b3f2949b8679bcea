"""The jobs that make assets: everything, the model alone, the deployment alone."""

import dagster as dg

from wms_assets.dataset import raw_dataset, validated_dataset
from wms_assets.deployment import deployed_image
from wms_assets.deployment_jobs import ONE_AT_A_TIME
from wms_assets.model import production_model, trained_model

drop_to_deployment = dg.define_asset_job(
    "drop_to_deployment",
    dg.AssetSelection.assets(raw_dataset, validated_dataset, trained_model, production_model, deployed_image),
    description="Everything: land a drop, check it, version it, train, judge, promote, deploy.",
    tags=ONE_AT_A_TIME,
)
train_and_gate = dg.define_asset_job(
    "train_and_gate",
    dg.AssetSelection.assets(trained_model, production_model),
    description="Train on the newest validated data, judge, and promote if better.",
    tags=ONE_AT_A_TIME,
)
deploy_current = dg.define_asset_job(
    "deploy_current",
    dg.AssetSelection.assets(deployed_image),
    description="Deploy the model that is in production now.",
    tags=ONE_AT_A_TIME,
)
