"""People who call a service without pause while something is done to it."""

import http.client
import threading
from collections.abc import Callable

import httpx


class Callers:
    """Threads that ask without pause until told to stop; `failures` lists what went wrong."""

    def __init__(self, *ways: Callable[[], None]) -> None:
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(way,)) for way in ways]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, way: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                way()
            except (OSError, http.client.HTTPException, httpx.HTTPError) as error:
                self.failures.append(repr(error))
