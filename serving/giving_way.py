"""uvicorn's server, able to take over from another process and to give way to one without harm to any caller."""

import asyncio
import socket
from typing import Final

import uvicorn

from serving.handover import Handover

_STRAY_SECONDS: Final = 0.1
"""Until connections that were accepted a moment ago are known to uvicorn."""

_LAST_WORDS_SECONDS: Final = 6
"""For callers that are connected and have not asked yet; longer than uvicorn keeps idle connections (5 s)."""

_FAREWELL_SECONDS: Final = 1
"""The same where others serve already and somebody waits for our end, as with pods: for callers that ask constantly."""


class GivingWay(uvicorn.Server):
    """Serves until a signal comes, or until the next process has taken over."""

    def __init__(self, config: uvicorn.Config, handover: Handover | None = None) -> None:
        """Serve on the socket of `handover`, when there is one."""
        super().__init__(config)
        self._handover = handover

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept, and take over."""
        await super().startup(sockets)
        if self._handover:
            self._handover.begin(self._leave)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more and finish what is in flight."""
        await self._give_way(sockets or [])
        await super().shutdown(sockets)

    def _leave(self) -> None:
        self.should_exit = True

    async def _give_way(self, sockets: list[socket.socket]) -> None:
        """Close no connection on which a request may be under way; uvicorn's own end closes all that look idle."""
        loop = asyncio.get_running_loop()
        for listening in sockets:
            loop.remove_reader(listening)  # asyncio drops what it has just accepted when its server is closed
        await asyncio.sleep(_STRAY_SECONDS)
        if self._handover:
            self._handover.end()
        for server in self.servers:
            server.close()
        if self._handover is None:
            await self._take_leave(_FAREWELL_SECONDS)
        elif self._handover.given:
            await self._take_leave(_LAST_WORDS_SECONDS)

    async def _take_leave(self, seconds: float) -> None:
        """Tell callers that are connected with their next answer that it was the last, for at most so long."""
        loop = asyncio.get_running_loop()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        deadline = loop.time() + seconds
        while self.server_state.connections and loop.time() < deadline and not self.force_exit:
            await asyncio.sleep(_STRAY_SECONDS)
