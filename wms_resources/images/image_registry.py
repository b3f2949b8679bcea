"""One repository of a container registry, over the OCI distribution API: what lies there, and what is added to it.

Straight on httpx: of the libraries, oras sends every manifest as OCI's and in bytes of its own making, so that images
as docker pushes them cannot be extended by digest, and takes two minutes to report a registry that is away.
"""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from wms_ml.errors import DeploymentError
from wms_resources.images.registry_login import NOBODY, Credentials, RegistryLogin

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"

_ACCEPTED: Final = (
    OCI_MANIFEST,
    DOCKER_MANIFEST,
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_NAME: Final = re.compile(r"(?P<host>[\w.-]+(:\d+)?|\[[0-9a-f:]+\](:\d+)?)/(?P<name>[a-z0-9]+([._/-]+[a-z0-9]+)*)")
_WAIT: Final = httpx.Timeout(60, connect=10, write=600)
"""Seconds; a registry moves a large layer to its place before it answers, and lines upwards may be thin."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as the registry keeps it.

    Attributes:
        digest: `sha256:...` of `content`.
        media_type: what kind it is, Docker's or OCI's.
        content: its very bytes.
    """

    digest: str
    media_type: str
    content: bytes

    def parsed(self) -> dict[str, Any]:
        """What it states."""
        stated: dict[str, Any] = json.loads(self.content)
        return stated


def digest_of(content: bytes) -> str:
    """`sha256:...` of what a registry keeps."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def split_repository(repository: str) -> tuple[str, str]:
    """Host, with its port, and name of a repository.

    Raises:
        DeploymentError: it is none.
    """
    found = _NAME.fullmatch(repository)
    if not found or not re.search(r"[.:]|^localhost$", found["host"]):
        raise DeploymentError(
            f"WMS_IMAGE_REPOSITORY={repository} is not HOST[:PORT]/NAME in small letters without a tag: "
            "for example 127.0.0.1:5000/reading-window"
        )
    return found["host"], found["name"]


def is_loopback(host: str) -> bool:
    """Whether a registry, `host[:port]`, is this machine's own: such a one speaks plain HTTP."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


class ImageRegistry:
    """The repository `host[:port]/name`; every method raises DeploymentError, with the remedy, when it fails.

    Attributes:
        repository: its full name.
        credentials: what we show there.
        sent: bytes of blobs and manifests that were sent to it so far.
    """

    def __init__(self, repository: str, credentials: Credentials = NOBODY) -> None:
        self.repository = repository
        self.credentials = credentials
        self.sent = 0
        self.host, self._name = split_repository(repository)

    def manifest(self, reference: str) -> Manifest | None:
        """What a tag or digest stands for; None when nothing is there."""
        answer = self._find("GET", f"manifests/{reference}", headers={"Accept": ", ".join(_ACCEPTED)})
        if answer is None:
            return None
        kept = Manifest(digest_of(answer.content), answer.headers.get("Content-Type", ""), answer.content)
        if kept.media_type not in _ACCEPTED:
            raise DeploymentError(
                f"WMS_IMAGE_REPOSITORY={self.repository} answers with {kept.media_type!r} for {reference}, which is no "
                "image: is it really a container registry?"
            )
        if reference.startswith("sha256:") and kept.digest != reference:
            raise DeploymentError(f"{self.repository}@{reference} is damaged in the registry: remove it there")
        return kept

    def blob(self, digest: str) -> bytes:
        """The content that a manifest names."""
        answer = self._find("GET", f"blobs/{digest}")
        if answer is None or digest_of(answer.content) != digest:
            raise DeploymentError(f"{self.repository} has lost or damaged the part {digest}: remove its image there")
        return answer.content

    def upload(self, content: bytes) -> str:
        """Have it keep `content`, which is sent only when it is not there yet; its digest."""
        digest = digest_of(content)
        if self._find("HEAD", f"blobs/{digest}") is not None:
            return digest
        place = self._send("POST", "blobs/uploads/").headers.get("Location", "")
        url = httpx.URL(self._base).join(place).copy_merge_params({"digest": digest})
        self._send("PUT", str(url), content=content, headers={"Content-Type": "application/octet-stream"})
        self.sent += len(content)
        return digest

    def put_manifest(self, tag: str, media_type: str, content: bytes) -> str:
        """Have `tag` stand for this manifest, whose parts are all there; its digest."""
        digest = digest_of(content)
        standing = self.manifest(tag)
        if standing is None or standing.digest != digest:
            self._send("PUT", f"manifests/{tag}", content=content, headers={"Content-Type": media_type})
            self.sent += len(content)
        return digest

    def tags(self) -> list[str]:
        """All tags; none of a repository that is not there yet."""
        found: list[str] = []
        page: str | None = "tags/list?n=500"
        while page:
            answer = self._find("GET", page)
            if answer is None:
                return found
            found += answer.json()["tags"] or []
            following = answer.links.get("next", {}).get("url")
            page = str(httpx.URL(self._base).join(following)) if following else None
        return found

    def delete(self, digest: str) -> bool:
        """Remove a manifest with all its tags; False when this registry lets nobody remove anything."""
        return self._send("DELETE", f"manifests/{digest}", {405, 404}).status_code != httpx.codes.METHOD_NOT_ALLOWED

    @property
    def _base(self) -> str:
        host = "registry-1.docker.io" if self.host == "docker.io" else self.host
        return f"{'http' if is_loopback(host) else 'https'}://{host}/v2/{self._name}/"

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(
            auth=RegistryLogin(urlsplit(self._base).netloc, self.credentials),
            timeout=_WAIT,
            follow_redirects=True,
            trust_env=not is_loopback(self.host),  # no proxy leads to this machine
        )

    def _find(self, method: str, path: str, **sent: Any) -> httpx.Response | None:
        """The answer; None when nothing is there."""
        answer = self._send(method, path, {404}, **sent)
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer

    def _send(self, method: str, path: str, expected: Collection[int] = (), **sent: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, httpx.URL(self._base).join(path), **sent)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeploymentError(
                f"the registry of WMS_IMAGE_REPOSITORY={self.repository} cannot be reached ({error}): "
                "is it running, and is its name right?"
            ) from error
        if not answer.is_success and answer.status_code not in expected:
            raise DeploymentError(f"WMS_IMAGE_REPOSITORY={self.repository}: {_trouble(answer)}")
        return answer


def _trouble(answer: httpx.Response) -> str:
    said = f"{answer.request.method} answered {answer.status_code}: {answer.text.strip()[:500]}"
    if answer.status_code in (401, 403):
        return (
            f"the registry refuses us; check WMS_REGISTRY_USER and WMS_REGISTRY_PASSWORD, and what they may do ({said})"
        )
    if answer.status_code == httpx.codes.NOT_FOUND:
        return f"the registry has no such repository; create it there, or correct WMS_IMAGE_REPOSITORY ({said})"
    if answer.status_code == httpx.codes.INSUFFICIENT_STORAGE or re.search(r'no space left|"Err":28\b', answer.text):
        return f"the registry's disk is full; make room there, then try again ({said})"
    return f"the registry failed, or is none; its own log says more ({said})"
