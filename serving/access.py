"""Who may ask: a key for predictions, where one is set, and the web pages of others that may send requests."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import Problem

_GUARDED: Final = "/predict"
"""Paths that begin so demand the key."""
_SCHEMES: Final = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_REFUSAL: Final = Problem(
    error="unauthorized",
    message="this service wants its key: send it as the header X-API-Key, or as Authorization: Bearer",
)


def add_access(
    app: FastAPI, api_key: str, cors_origins: Sequence[str], refused: Callable[[], None] = lambda: None
) -> None:
    """Let in whom the settings let in, and say so in the OpenAPI document.

    Args:
        app: the service.
        api_key: demanded of everything below /predict, as `X-API-Key` or bearer token; empty: of nobody.
        cors_origins: origins such as `https://meters.example` whose pages may call; none: only this service's own.
        refused: called for every request that is turned away.
    """
    if api_key:
        app.add_middleware(_Key, api_key=api_key.encode(), refused=refused)
        _describe(app)
    if cors_origins:
        # Outside the key: browsers ask their preflight questions without one, and must be able to read a refusal.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Confidence", "X-Model-Version", "X-Request-ID"],
        )


class _Key:
    """ASGI middleware that turns away requests for predictions without the key, before their body is read."""

    def __init__(self, app: ASGIApp, api_key: bytes, refused: Callable[[], None]) -> None:
        self._app = app
        self._key = api_key
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _path(scope).startswith(_GUARDED) or self._is_known(scope):
            await self._app(scope, receive, send)
            return
        self._refused()
        answer = JSONResponse(_REFUSAL.model_dump(), 401, {"WWW-Authenticate": "Bearer"})
        await answer(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        """Whether the key was sent; how long this takes does not depend on how much of it was right."""
        return any(secrets.compare_digest(sent, self._key) for sent in _sent(scope))


def _path(scope: Scope) -> str:
    """The path as Starlette's routes see it: behind a proxy it may or may not begin with the prefix of the proxy."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if path.startswith(f"{root}/") else path


def _sent(scope: Scope) -> Iterator[bytes]:
    for name, value in scope["headers"]:
        scheme, _, token = value.partition(b" ")
        if name == b"x-api-key":
            yield value
        elif name == b"authorization" and scheme.lower() == b"bearer":
            yield token.strip()


def _describe(app: FastAPI) -> None:
    """Say in the OpenAPI document that predictions want a key, so that /docs and generated clients ask for it."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        document.setdefault("components", {})["securitySchemes"] = _SCHEMES
        shown = {"schema": Problem.model_json_schema(), "example": _REFUSAL.model_dump()}
        told = {"description": _REFUSAL.message, "content": {"application/json": shown}}
        for path, operations in document["paths"].items():
            if path.startswith(_GUARDED):
                for operation in operations.values():
                    operation["security"] = [{name: []} for name in _SCHEMES]
                    operation["responses"]["401"] = told
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the place where FastAPI lets a document be extended
