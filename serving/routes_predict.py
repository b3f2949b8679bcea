"""`/predict` and `/predict/batch`: pictures in, reading windows out."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.admission import Admission
from serving.examples import batch_answers, form_of, window_answers
from serving.loading import Model
from serving.problems import problem_of
from serving.service import Service
from serving.split import split_route
from serving.uploads import Upload, read_picture, read_pictures, require_size
from serving.windows import Batch, Picture, Window
from wms_ml.errors import PictureError

Crop = Annotated[bool, Query(description="also cut the window out and straighten it")]
Result = TypeVar("Result")


def predict_routes(service: Service) -> APIRouter:
    """The routes of this service that ask its model."""
    router = APIRouter(tags=["predictions"], route_class=split_route(service))
    _add_predict(router, service)
    _add_batch(router, service)
    return router


def _add_predict(router: APIRouter, service: Service) -> None:
    settings, admission = service.settings, service.admission

    @router.post("/predict", response_model=Window, responses=window_answers(), openapi_extra=form_of(1))
    async def predict(request: Request, crop: Crop = False) -> Response:
        """Find the reading window in one picture; with `Accept: image/png` the answer is the mask itself."""
        model = service.begin()
        accepted = request.headers.get("accept", "")
        mask_alone = "image/png" in accepted and "application/json" not in accepted
        with admission.room() as take:
            async with admission.arriving():
                upload = await read_picture(request, settings.max_bytes, take)
            with admission.place():
                found, window = await service.predict(request, model, upload.data, crop, shape=not mask_alone)
        if mask_alone:
            headers = {"X-Model-Version": window.model_version, "X-Confidence": f"{window.confidence:.4f}"}
            return Response(found.mask, media_type="image/png", headers=headers)
        return _json(window)


def _add_batch(router: APIRouter, service: Service) -> None:
    settings, admission = service.settings, service.admission
    most = settings.batch_pictures

    @router.post("/predict/batch", response_model=Batch, responses=batch_answers(), openapi_extra=form_of(most))
    async def predict_batch(request: Request, crop: Crop = False) -> Response:
        """Find the reading windows in several pictures; one that cannot be used has a problem instead of a window."""
        model = service.begin()
        with admission.room() as take:
            async with admission.arriving():
                uploads = await read_pictures(request, most, settings.max_bytes, take)

            async def one(index: int) -> Picture:
                return await _picture(service, request, model, uploads[index], crop)

            pictures = await _in_lanes(admission, len(uploads), one)
        return _json(Batch(model_version=model.release.model_version, pictures=pictures))


async def _picture(service: Service, request: Request, model: Model, upload: Upload, crop: bool) -> Picture:
    if await request.is_disconnected():
        raise ClientDisconnect
    try:
        require_size(upload, service.settings.max_bytes)
        _, window = await service.predict(request, model, upload.data, crop)
    except (PictureError, HTTPException) as error:
        problem = problem_of(error)
        service.metrics.failed(problem.error)
        return Picture(name=upload.name, window=None, problem=problem)
    return Picture(name=upload.name, window=window, problem=None)


async def _in_lanes(admission: Admission, count: int, one: Callable[[int], Awaitable[Result]]) -> list[Result]:
    """Results of `one` for 0 to `count` - 1, several at a time when there are places: a batch needs one, and may
    have as many as work at once.

    Raises:
        HTTPException: 503 `overloaded`.
    """
    results: dict[int, Result] = {}
    pending = iter(range(count))

    async def lane() -> None:
        for index in pending:
            results[index] = await one(index)

    with ExitStack() as places:
        places.enter_context(admission.place())
        lanes = [lane()]
        while len(lanes) < min(count, admission.at_work) and admission.has_place:
            places.enter_context(admission.place())
            lanes.append(lane())
        await asyncio.gather(*lanes)
    return [results[index] for index in range(count)]


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")
