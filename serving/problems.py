"""What a caller is told when a request cannot be answered: always a status and one shape of JSON."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from wms_ml.errors import PictureError

RETRY_SECONDS: Final = 1
"""When a refused caller may try again: a place becomes free with every picture that is done."""

_STATUS: Final = {
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "format": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
"""Statuses of the pictures that HTTP has a word for; every other unusable picture is a bad request."""


class Problem(BaseModel):
    """Why a request was refused."""

    error: str = Field(description="a code for programs")
    message: str = Field(description="a sentence for people")


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> HTTPException:
    """What to raise so that the caller is told this problem."""
    return HTTPException(status, {"error": code, "message": message}, dict(headers or {}))  # type: ignore[arg-type]


def come_back(code: str, message: str) -> HTTPException:
    """The refusal of a request that would be answered a little later: 503 with `Retry-After`."""
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, code, message, {"Retry-After": str(RETRY_SECONDS)})


def problem_of(error: PictureError | HTTPException) -> Problem:
    """The problem that a caller is told of this error."""
    if isinstance(error, PictureError):
        return Problem(error=error.code, message=str(error))
    detail: Any = error.detail  # ours is a Problem's content, the framework's a text
    if isinstance(detail, dict):
        return Problem(**detail)
    return Problem(error=HTTPStatus(error.status_code).phrase.lower().replace(" ", "-"), message=str(detail))


def problem_answer(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that tells a problem."""
    return JSONResponse(problem.model_dump(), status, headers)


def tell_problems(app: FastAPI, failed: Callable[[str, str], None]) -> None:
    """Have `app` answer what it refuses as a `Problem`; `failed` hears of each: path of the request, code."""

    def told(request: Request, status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
        failed(request.url.path, problem.error)
        return problem_answer(status, problem, headers)

    @app.exception_handler(PictureError)
    async def unusable_picture(request: Request, error: PictureError) -> Response:
        return told(request, _STATUS.get(error.code, HTTPStatus.BAD_REQUEST), problem_of(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return told(request, error.status_code, problem_of(error), error.headers)

    @app.exception_handler(RequestValidationError)
    async def misunderstood(request: Request, error: RequestValidationError) -> Response:
        said = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())
        return told(request, HTTPStatus.UNPROCESSABLE_ENTITY, Problem(error="parameter", message=said))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        """Nobody reads this answer: it only keeps a caller's hanging up from looking like our failure."""
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:
        """Our own failure; the server raises it again once this is sent, and logs it."""
        sentence = "the service failed on this request: its log says why"
        # Answered outside of every middleware, so the request's id is put in here.
        headers = {"X-Request-ID": getattr(request.state, "request_id", "")}
        return told(request, HTTPStatus.INTERNAL_SERVER_ERROR, Problem(error="internal", message=sentence), headers)
