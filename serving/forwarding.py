"""A request as it is sent on to another service, and that one's answer as it is given to our caller.

Both go as they came, but for what belongs to one connection or is added anew by the server at either end.
"""

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Final

import httpx
from fastapi import Request, Response
from pydantic import ValidationError

from serving.metrics import Outcome
from serving.problems import Problem

_MARK: Final = b"x-wms-forwarded"
_LONGEST_ANSWER: Final = 64 * 2**20

_OF_ONE_CONNECTION: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    }
)
_NOT_SENT: Final = _OF_ONE_CONNECTION | {b"expect", b"host", b"origin", _MARK}
"""Without `Origin` the other service adds no CORS headers, which are added here."""
_NOT_RETURNED: Final = _OF_ONE_CONNECTION | {b"date", b"server"}

_NOT_THE_CALLERS: Final = frozenset({401, 403, 404, 405, 408})
"""Refusals of key, path, method and slowness, all of which were in order here: the other service is set up wrongly."""


def was_sent_on(request: Request) -> bool:
    """Whether the request comes from a service like this one. It must not be sent on again: two that are each other's
    canaries, or one that is its own, would pass it round for ever.
    """
    return any(name == _MARK for name, _ in request.headers.raw)


def sent_on(request: Request, address: str, body: Sequence[bytes]) -> httpx.Request:
    """The same request to the service at `address`, with the same id, and marked."""
    url = httpx.URL(address + request.scope["path"])
    query = request.scope["query_string"]
    length = str(sum(map(len, body))).encode()
    own = [(b"content-length", length), (b"x-request-id", request.state.request_id.encode()), (_MARK, b"1")]
    # uvicorn leaves blanks at the end of a value, and httpx would refuse to send them.
    headers = [(name, value.strip()) for name, value in request.headers.raw if name not in _NOT_SENT]
    # Not in the URL, where the query would be quoted anew.
    target = url.raw_path + (b"?" + query if query else b"")
    return httpx.Request("POST", url, headers=headers + own, content=_flow(body), extensions={"target": target})


async def _flow(body: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in body:
        yield piece


async def returned(answer: httpx.Response) -> Response:
    """The same answer for our caller; `answer` has not been read.

    Raises:
        httpx.HTTPError: it broke off, or does not end.
    """
    content = bytearray()
    async for piece in answer.aiter_raw():
        content += piece
        if len(content) > _LONGEST_ANSWER:
            raise httpx.ReadError(f"the answer is longer than {_LONGEST_ANSWER} bytes")
    same = Response(bytes(content), answer.status_code)
    headers = [(name.lower(), value) for name, value in answer.headers.raw]
    same.raw_headers = [(b"content-length", str(len(content)).encode())]
    same.raw_headers += [pair for pair in headers if pair[0] not in _NOT_RETURNED]
    return same


def outcome_of(answer: Response) -> Outcome:
    """What an answer means: one for the caller, or a reason to give our own."""
    status = answer.status_code
    if status == HTTPStatus.SERVICE_UNAVAILABLE and _is_overloaded(bytes(answer.body)):
        return Outcome.BUSY
    is_for_the_caller = 200 <= status < 300 or (400 <= status < 500 and status not in _NOT_THE_CALLERS)
    return Outcome.ANSWERED if is_for_the_caller else Outcome.FAILED


def _is_overloaded(content: bytes) -> bool:
    try:
        return Problem.model_validate_json(content).error == "overloaded"
    except ValidationError:
        return False
