"""What a caller is told when a request cannot be answered: always a status and one shape of JSON."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from wms_ml.errors import PictureError

_STATUS: Final = {
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "format": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
"""Statuses of the pictures that HTTP has a word for; every other unusable picture is a bad request."""


class Problem(BaseModel):
    """Why a request was refused: a code for programs, a sentence for people."""

    error: str
    message: str


def tell_problems(app: FastAPI) -> None:
    """Have `app` answer what it refuses as a `Problem`."""

    @app.exception_handler(PictureError)
    async def unusable_picture(_: Request, error: PictureError) -> Response:
        status = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)
        return _answer(status, Problem(error=error.code, message=str(error)))

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        detail: object = error.detail  # ours is a Problem's content, the framework's a text
        if isinstance(detail, dict):
            return _answer(error.status_code, Problem(**detail))
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return _answer(error.status_code, Problem(error=code, message=str(detail)), error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        """Nobody reads this answer: it only keeps a caller's hanging up from looking like our failure."""
        return Response(status_code=HTTPStatus.BAD_REQUEST)


def _answer(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(), status, headers)
