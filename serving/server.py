"""The server of one service: it listens, loads the model, and says when it serves."""

import asyncio
import socket
import sys
from types import FrameType

import uvicorn
from anyio import to_thread

from serving.giving_way import GivingWay
from serving.handover import Handover
from serving.service import Service


class Server(GivingWay):
    """Serves until a signal comes, or until the next process has taken over."""

    def __init__(self, config: uvicorn.Config, service: Service, url: str, handover: Handover | None = None) -> None:
        """Serve `service` at `url`; its model is loaded in the background when that has not been done."""
        super().__init__(config, handover)
        self._service = service
        self._url = url
        self._loading: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept, take over, load."""
        await super().startup(sockets)
        self._loading = asyncio.create_task(self._load())
        self._loading.add_done_callback(self._end_without_model)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is in flight, at the canary, too."""
        await super().shutdown(sockets)
        if self._watching:
            self._watching.cancel()

    def require_loaded(self) -> None:
        """Raise, after the end, what kept the model from being loaded."""
        if self._loading:
            self._loading.result()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not ready from now on, and then the end."""
        self._service.leave()
        super().handle_exit(sig, frame)

    async def _load(self) -> None:
        """Load the model, and announce it with one line on standard output."""
        release = (await to_thread.run_sync(self._service.load)).release
        sys.stdout.write(f"serving {release.model_name} version {release.model_version} at {self._url}\n")
        sys.stdout.flush()
        if self._service.canary:
            self._watching = asyncio.create_task(self._service.canary.watch())

    def _end_without_model(self, loading: "asyncio.Task[None]") -> None:
        if not loading.cancelled() and loading.exception():
            self.should_exit = True
