"""The namespace of an environment, and the two Secrets that its pods need: to fetch their image, to know callers."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from wms_ml.errors import DeploymentError
from wms_resources.cluster.kubectl import Kubectl
from wms_resources.images.registry_login import Credentials

PULL_SECRET: Final = "wms-registry"
KEY_SECRET: Final = "wms-model-api-key"
KEY_ENTRY: Final = "api-key"

_OURS: Final = "app.kubernetes.io/managed-by"
_US: Final = "wms-platform"
_EXPIRES: Final = "wms/expires"


@dataclass(frozen=True, slots=True)
class Namespace:
    """One that is made when it is missing, and then says that it is ours.

    Attributes:
        kubectl: pointed at it.
        lifetime_hours: how long it lives after it was made; 0: for ever.
    """

    kubectl: Kubectl
    lifetime_hours: float = 0

    def ensure(self) -> None:
        """Make it when it is missing.

        Raises:
            DeploymentError: it cannot be made, or is on its way out.
        """
        name = self.kubectl.namespace
        found = self.kubectl.get("namespace", name)
        if found is None:
            self.kubectl.create(self._manifest())
        elif found["status"]["phase"] == "Terminating":
            raise DeploymentError(f"namespace {name} is being deleted: deploy again when it is gone")

    def grant_images(self, registry: str, login: Credentials) -> None:
        """Let the namespace's pods fetch images from a registry, `host[:port]`."""
        stated = {"auths": {registry: {"username": login.user, "password": login.password, "auth": login.encoded()}}}
        self._apply_secret(PULL_SECRET, "kubernetes.io/dockerconfigjson", ".dockerconfigjson", json.dumps(stated))

    def set_key(self, key: str) -> str:
        """Keep what callers of the service must show; returns a text that changes with it and gives nothing away."""
        secret = self._apply_secret(KEY_SECRET, "Opaque", KEY_ENTRY, key)
        return str(secret["metadata"]["resourceVersion"])

    def delete_expired(self) -> list[str]:
        """Delete namespaces of ours whose time is over, this one excepted; returns their names."""
        now = datetime.now(UTC)
        expired = []
        for found in self.kubectl.find("namespaces", f"{_OURS}={_US}"):
            name, until = found["metadata"]["name"], found["metadata"].get("annotations", {}).get(_EXPIRES)
            if until and datetime.fromisoformat(until) < now and name != self.kubectl.namespace:
                self.kubectl.delete("namespace", name)
                expired.append(name)
        return expired

    def _manifest(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": self.kubectl.namespace, "labels": {_OURS: _US}}
        if self.lifetime_hours:
            until = datetime.now(UTC) + timedelta(hours=self.lifetime_hours)
            metadata["annotations"] = {_EXPIRES: until.isoformat(timespec="seconds")}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}

    def _apply_secret(self, name: str, kind: str, entry: str, content: str) -> dict[str, Any]:
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": kind,
            "metadata": {"name": name, "labels": {_OURS: _US}},
            "data": {entry: base64.b64encode(content.encode()).decode()},
        }
        return self.kubectl.apply(manifest)
