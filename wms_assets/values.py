"""The values assets hand to each other: small, typed, JSON. Pictures and models are referenced, never carried."""

from pydantic import BaseModel


class RawDataset(BaseModel, frozen=True):
    """A drop, landed and inspected.

    Attributes:
        drop: the drop's id.
        dropped_at: when it was complete, ISO 8601 in UTC.
        dropped_by: who dropped it; empty when nobody can tell.
        folder: the unchanging local copy of the drop.
        report: the QA report's file, JSON.
    """

    drop: str
    dropped_at: str
    dropped_by: str
    folder: str
    report: str


class ValidatedDataset(BaseModel, frozen=True):
    """Accepted data plus the drop, as one version.

    Attributes:
        drop: the drop that made it.
        data_version: content version over all pairs.
        branch: git branch in the data repository.
        commit: its commit.
        images_md5: DVC hash of images/.
        masks_md5: DVC hash of masks/.
        folder: checked-out data set: images/, masks/, manifest.parquet.
        pairs: how many pairs it has.
    """

    drop: str
    data_version: str
    branch: str
    commit: str
    images_md5: str
    masks_md5: str
    folder: str
    pairs: int


class TrainedModel(BaseModel, frozen=True):
    """A registered challenger.

    Attributes:
        version: its registry version.
        data: the data set it was trained on and judged with.
    """

    version: str
    data: ValidatedDataset


class ProductionModel(BaseModel, frozen=True):
    """The model in production.

    Attributes:
        version: its registry version.
    """

    version: str
