"""What the tests of the gate inside Dagster share: a set-up as `trained_model` leaves it at the end of a run."""

from tests.data_world import World as DataWorld
from tests.promotion_world import World
from wms_assets.model import production_model, trained_model
from wms_assets.values import TrainedModel, ValidatedDataset
from wms_ml.files import write_whole
from wms_ml.pairs import write_manifest
from wms_resources.registry import ModelVersion

PRODUCTION, TRAINED = production_model.key, trained_model.key


class HandedOver:
    """A world whose data was proposed, and whose `trained_model` handed over some version."""

    def __init__(self, world: World) -> None:
        self.world = world
        drop, files, manifest = DataWorld(world.home / "drops").drop("first", "a", "b")
        write_manifest([], manifest)
        self.data = world.promoter.data_repo.propose(drop, files, manifest)
        self.environment = {
            "WMS_HOME": str(world.home),
            "WMS_MLFLOW_TRACKING_URI": world.uri,
            "WMS_MODEL_NAME": "m",
        }

    def hand_over(self, version: ModelVersion, data_version: str = "v1") -> None:
        data = ValidatedDataset(
            drop="first",
            data_version=data_version,
            branch=self.data.branch,
            commit=self.data.commit,
            images_md5=self.data.images_md5,
            masks_md5=self.data.masks_md5,
            folder=str(self.world.home / "no data set"),
            pairs=2,
        )
        folder = self.world.home / "handover" / TRAINED.to_user_string()
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "newest.json", TrainedModel(version=version.version, data=data).model_dump_json())
