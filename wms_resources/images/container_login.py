"""Letting docker and podman into a container registry without leaving our credentials in their user's configuration."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wms_resources.images.registry_login import Credentials


@contextmanager
def logged_in(host: str, credentials: Credentials) -> Iterator[dict[str, str]]:
    """Variables with which either of them shows these credentials to the registry at `host`, inside the block only."""
    if not credentials.user:
        yield {}
        return
    home = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    own = json.loads((home / "config.json").read_text()) if (home / "config.json").exists() else {}
    own = {name: value for name, value in own.items() if name not in ("credsStore", "credHelpers")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps({**own, "auths": {host: {"auth": credentials.encoded()}}}))
        if (home / "contexts").exists():
            (Path(folder) / "contexts").symlink_to((home / "contexts").resolve())
        yield {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(file)}
