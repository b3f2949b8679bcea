"""The split of the pictures between this service and its canary: whose turn is it, and who answers when that one fails.

It sits in the routes of predictions and not around the app: so a key was shown, and what is wrong with a body is told
here as ever, before anything is sent on.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from anyio import CancelScope, create_task_group
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from serving.canary import Canary
from serving.forwarding import was_sent_on
from serving.service import Service
from serving.uploads import read_pieces
from serving.workers import gone

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


def split_route(service: Service) -> type[APIRoute]:
    """The class of routes whose requests `service` shares with its canary; ordinary ones when it has none."""
    return _split_with(service.canary, service) if service.canary else APIRoute


def _split_with(canary: Canary, service: Service) -> type[APIRoute]:
    class Split(APIRoute):
        """A route whose requests the canary is asked when it is due; its answer may be that we answer ourselves."""

        def get_route_handler(self) -> Answer:
            own = super().get_route_handler()
            most = service.settings.batch_pictures if self.path.endswith("/batch") else 1

            async def handler(request: Request) -> Response:
                if was_sent_on(request) or not canary.is_due():
                    return await own(request)
                with service.admission.room() as take:
                    async with service.admission.arriving():
                        body = deque(await read_pieces(request, most, service.settings.max_bytes, take))
                    answer = await _unless_gone(request, canary, body)
                return answer or await own(Request(request.scope, _again(body, request.receive)))

            return handler

    return Split


async def _unless_gone(request: Request, canary: Canary, body: "deque[bytes]") -> Response | None:
    answer, is_here = None, False
    async with create_task_group() as group:
        group.start_soon(_cancel_when_gone, request, group.cancel_scope)
        answer = await canary.ask(request, body)
        is_here = True
        group.cancel_scope.cancel()
    if not is_here:
        raise ClientDisconnect
    return answer


async def _cancel_when_gone(request: Request, scope: CancelScope) -> None:
    await gone(request)
    scope.cancel()


def _again(body: "deque[bytes]", rest: Receive) -> Receive:
    """Receives the body once more, and lets go of it piece by piece: whoever reads it takes room for it anew."""

    async def receive() -> Message:
        if body:
            return {"type": "http.request", "body": body.popleft(), "more_body": bool(body)}
        return await rest()

    return receive
