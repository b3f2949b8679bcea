"""The service over HTTP: one verified model, asked for reading windows."""

import base64
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from serving.inference import Found, Inference
from serving.problems import Problem, tell_problems
from serving.release import Release, read
from serving.uploads import FIELDS, read_picture
from wms_ml.arrays import MAX_PIXELS

MAX_BYTES: Final = 20 * 2**20
"""Largest picture file that is accepted, bytes."""

PAGE: Final = Path(__file__).parent / "page"
_PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",  # after a deployment nobody should look at the old page
    "Content-Security-Policy": "default-src 'self'",
}


class Window(BaseModel):
    """The reading window found in a picture."""

    width: int = Field(description="of the upright picture, pixels")
    height: int = Field(description="of the upright picture, pixels")
    found: bool
    mask: str = Field(description="base64 of a PNG, `width` by `height`: 255 inside the window, 0 outside")
    confidence: float = Field(description="mean probability inside the mask, 0.5 to 1; 0 when nothing was found")
    coverage: float = Field(description="share of the picture inside the mask, 0 to 1")
    model_version: str
    milliseconds: float = Field(description="work on this picture, without waiting for its turn")


def create_app(folder: Path, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> FastAPI:
    """The service of the release in `folder`; when this returns, its model is verified, loaded and warm.

    The app's `state.release` says which one it is.

    Args:
        folder: a release folder.
        max_bytes: largest picture file accepted.
        max_pixels: largest picture accepted, width times height.

    Raises:
        DeploymentError: the release is not whole.
        DataError: its model is not one of ours.
    """
    release = read(folder)
    inference = Inference(release, max_pixels)
    app = FastAPI(title="Reading windows of water meters", version=release.model_version)
    app.state.release = release
    tell_problems(app)
    _add_predict(app, release, inference, max_bytes)
    _add_states(app, release)
    _add_page(app)
    return app


def _add_predict(app: FastAPI, release: Release, inference: Inference, max_bytes: int) -> None:
    refused: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 413, 415)}
    answered: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}

    @app.post("/predict", response_model=Window, responses=answered | refused, openapi_extra=_request_body())
    async def predict(request: Request) -> Response | Window:
        """Find the reading window in one picture; with `Accept: image/png` the answer is the mask itself."""
        found = await inference.find(await read_picture(request, max_bytes))
        accepted = request.headers.get("accept", "")
        if "image/png" in accepted and "application/json" not in accepted:
            headers = {"X-Model-Version": release.model_version, "X-Confidence": f"{found.confidence:.4f}"}
            return Response(found.mask, media_type="image/png", headers=headers)
        return _window(found, release.model_version)


def _window(found: Found, model_version: str) -> Window:
    width, height = found.size
    return Window(
        width=width,
        height=height,
        found=found.coverage > 0,
        mask=base64.b64encode(found.mask).decode(),
        confidence=found.confidence,
        coverage=found.coverage,
        model_version=model_version,
        milliseconds=round(found.milliseconds, 1),
    )


def _request_body() -> dict[str, Any]:
    """The body that `read_picture` understands, in OpenAPI's words."""
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {FIELDS[0]: file}, "required": [FIELDS[0]]}
    content = {"multipart/form-data": {"schema": form}, "image/*": {"schema": file}}
    return {"requestBody": {"required": True, "content": content}}


def _add_states(app: FastAPI, release: Release) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        """The model is loaded and warm: without one this service does not start."""
        return {"status": "ready", "model_version": release.model_version}

    @app.get("/version")
    async def version() -> dict[str, Any]:
        """What is served: model, data, content hash, release, and how good the model was on the test set."""
        return release.stated()


def _add_page(app: FastAPI) -> None:
    app.mount("/page", StaticFiles(directory=PAGE))

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=_PAGE_HEADERS)
