"""Whether the service lives, whether it is ready, and what it serves."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from serving.examples import VERSION, refusals
from serving.loading import Loading
from wms_ml.runtime import Precision


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The model is verified, loaded and warm."""

    status: Literal["ready"] = "ready"
    model_version: str
    share: float = Field(description="what this service takes where it is another one's canary, 0 to 1")


class Version(BaseModel):
    """What is served, and how good the model was on the test set."""

    model_config = {"json_schema_extra": {"examples": [VERSION]}}

    model_name: str
    model_version: str
    data_version: str
    digest: str = Field(description="sha256 of the model file")
    tag: str = Field(description="name of the release as a whole, code included")
    metrics: dict[str, float] = Field(description="dice and iou, 0 to 1, in float32")
    precision: Precision = Field(description="in which this process computes")


def state_routes(loading: Loading, share: float) -> APIRouter:
    """`/health`, `/ready` and `/version` of the service with this model, which takes `share` as a canary."""
    router = APIRouter(tags=["state"])

    @router.get("/health")
    async def health() -> Alive:
        """The process answers, with or without a model."""
        return Alive()

    @router.get("/ready", responses=refusals("not-ready"))
    async def ready() -> Ready:
        """Whether to send pictures: the model is verified, loaded and warm, and the service is not about to end."""
        return Ready(model_version=loading.require_ready().release.model_version, share=share)

    @router.get("/version", responses=refusals("not-ready"))
    async def version() -> Version:
        """What is served: model, data, content hash, release, and how good the model was on the test set."""
        model = loading.model()
        return Version(**model.release.stated(), precision=model.precision)

    return router
