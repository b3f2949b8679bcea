"""The canary, a service of another version beside this one: what it takes of our pictures, and what it says to one.

It is asked about once a second whether it is ready and which share it takes, so nothing has to be set up here for it to
come or go. Whatever is wrong with it, no caller is to notice: then there is no answer of it, and we give our own.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Final, Literal

import httpx
from fastapi import Request, Response
from pydantic import BaseModel, Field

from serving.forwarding import outcome_of, returned, sent_on
from serving.metrics import Outcome

_LOGGER: Final = logging.getLogger("wms.serving")
_PAUSE_SECONDS: Final = 1
_PATIENCE_SECONDS: Final = 2
_AT_ONCE: Final = 8
"""Requests that it may have at once: one that hangs must not gather them."""
_IDLE_SECONDS: Final = 2
"""How long connections to it are kept: less than it does itself (uvicorn: 5 s), or a request may meet their end."""


class Taking(BaseModel):
    """What a canary says at `/ready`; a version from before there were shares takes nothing."""

    status: Literal["ready"]
    model_version: str
    share: Decimal = Field(Decimal(0), ge=0, le=1)


class Canary:
    """What this service knows of its canary. Used on its event loop only."""

    def __init__(self, address: str, seconds: float, told: Callable[[Outcome], None]) -> None:
        """Know nothing of it yet, and send it nothing.

        Args:
            address: its URL, up to the path `/ready`.
            seconds: what it may take for one request.
            told: hears how each request that was sent on ended.
        """
        self._address = address.rstrip("/")
        self._seconds = seconds
        self._told = told
        limits = httpx.Limits(max_connections=_AT_ONCE + 1, keepalive_expiry=_IDLE_SECONDS)
        self._client = httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)  # see `_send`
        self._taking: Taking | None = None
        self._due = Decimal(0)
        self._asked = 0

    async def watch(self) -> None:
        """Ask it again and again what it takes, until cancelled; from then on it takes nothing."""
        async with self._client:
            try:
                while True:
                    self._know(*await self._says())
                    await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                self._taking = None

    def is_due(self) -> bool:
        """Whether the request that has just come is one of its share: every tenth, exactly, of a share of 0.1."""
        if not self._taking:
            return False
        self._due += self._taking.share
        if self._due < 1:
            return False
        self._due -= 1
        return True

    async def ask(self, request: Request, body: Sequence[bytes]) -> Response | None:
        """What it answers to a request with this body; None when it has no answer that a caller should see."""
        if self._asked >= _AT_ONCE:
            return None
        self._asked += 1
        try:
            answer = await self._send(sent_on(request, self._address, body))
            outcome = outcome_of(answer)
        except (httpx.HTTPError, TimeoutError):
            answer, outcome = None, Outcome.FAILED
        finally:
            self._asked -= 1
        request.state.canary = outcome  # for the log
        self._told(outcome)
        return answer if outcome is Outcome.ANSWERED else None

    async def _send(self, sent: httpx.Request) -> Response:
        async with asyncio.timeout(self._seconds), aclosing(await self._client.send(sent, stream=True)) as answer:
            return await returned(answer)

    async def _says(self) -> tuple[Taking | None, str]:
        """What it takes; None, and why, while it is not ready or is no service of ours."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                # Over a connection of its own: one that is kept goes on reaching an instance that was replaced.
                answer = await self._client.get(f"{self._address}/ready", headers={"Connection": "close"})
            return Taking.model_validate_json(answer.raise_for_status().content), ""
        except (httpx.HTTPError, TimeoutError, ValueError) as error:  # ValueError: other content, or an impossible name
            return None, type(error).__name__

    def _know(self, taking: Taking | None, trouble: str) -> None:
        if taking == self._taking:
            return
        self._taking = taking
        if taking:
            says = f"version {taking.model_version} takes {taking.share} of the pictures"
        else:
            says = f"it is away or not ready ({trouble}), and nothing is sent to it"
        _LOGGER.info("canary %s: %s", self._address, says)
