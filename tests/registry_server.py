"""Container registries on this machine: each a real one with a folder and a port of its own, stopped by its process."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.rig import free_port

USER: Final = "deployer"
PASSWORD: Final = "a long word"
_HASHED: Final = "$2b$04$whu0nm1rp8CBLj1ud7CFhOD64wC8A401GmFb1nypcjIPhLVJ9ovUC"
_PROGRAMS: Final = ("docker-registry", "registry")


@dataclass(frozen=True)
class RegistryServer:
    """A running one.

    Attributes:
        host: `127.0.0.1:port`.
        storage: folder where it keeps what it is sent.
    """

    host: str
    storage: Path

    def blobs(self) -> dict[str, int]:
        """Digest and size of everything that is kept."""
        found = self.storage.rglob("blobs/sha256/*/*/data")
        return {f"sha256:{path.parent.name}": path.stat().st_size for path in found}


@contextmanager
def serving(folder: Path, *, deletes: bool = True, **settings: Any) -> Iterator[RegistryServer]:
    """A registry that keeps its content in `folder`; `settings` are added to its configuration."""
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("NO REGISTRY: docker-registry is not installed, so nobody pushed an image")
    folder.mkdir(parents=True, exist_ok=True)
    host = f"127.0.0.1:{free_port()}"
    storage = {"filesystem": {"rootdirectory": str(folder)}, "delete": {"enabled": deletes}}
    stated = {"version": 0.1, "log": {"level": "error"}, "storage": storage, "http": {"addr": host}, **settings}
    configuration = folder.with_suffix(".yml")
    configuration.write_text(json.dumps(stated))  # YAML, too
    command = [program, "serve", str(configuration)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY")}  # else its settings
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean)
    try:
        _wait_for(host, server)
        yield RegistryServer(host, folder)
    finally:
        server.terminate()
        server.wait()


def with_password(folder: Path) -> dict[str, Any]:
    """Settings of a registry that USER with PASSWORD alone may use."""
    path = folder / "htpasswd"
    path.write_text(f"{USER}:{_HASHED}\n")
    return {"auth": {"htpasswd": {"realm": "registry", "path": str(path)}}}


def _wait_for(host: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            httpx.get(f"http://{host}/v2/")
            return
        except httpx.TransportError:
            assert server.poll() is None, "the registry did not start"
            time.sleep(0.05)
    raise AssertionError("the registry does not answer")
