"""How a deployment talks to a service: with its key, with patience for a full house, and told whose fault a failure is.

A service that hangs up, answers 500 or another picture is a release at fault (ReleaseError). One that cannot be reached
or does not know our key is a target, or a setting, at fault (DeploymentError).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from ssl import SSLContext
from typing import Any, Final

import httpx

from wms_ml.arrays import BoolMask, mask_of
from wms_ml.errors import DeploymentError, PictureError, ReleaseError

_SECONDS: Final = 60
"""How long an answer may take, and how long a service that is busy with others may go on being so."""

_PAUSE: Final = 0.5
_READY_SECONDS: Final = 5

_HERE: Final = {"X-WMS-Forwarded": "1"}
"""Has an instance of the stable track answer itself, and not the canary (`serving/canary.py`)."""


@contextmanager
def calling(url: str, key: str = "") -> Iterator[httpx.Client]:
    """A client of the service at `url`, reached directly: no proxy stands between a deployment and its instances.

    Raises:
        ReleaseError: the service broke a connection off, or left a question without answer.
        DeploymentError: nobody listens there.
    """
    headers = _HERE | ({"X-API-Key": key} if key else {})
    try:
        with httpx.Client(base_url=url, timeout=_SECONDS, headers=headers, trust_env=False, verify=_tls()) as http:
            yield http
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise DeploymentError(f"the service at {url} cannot be reached: {error}") from error
    except httpx.TransportError as error:
        raise ReleaseError(f"the service at {url} broke off without an answer: {error!r}") from error


def is_ready(url: str) -> bool:
    """Whether a service answers there that would be sent pictures."""
    try:
        return plain_get(f"{url}/ready", _READY_SECONDS).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def plain_get(url: str, seconds: float) -> httpx.Response:
    """Plain HTTP to an instance: there is no proxy, and reading certificates would take longer than all the rest."""
    return httpx.get(url, timeout=seconds, trust_env=False, verify=False)


@cache
def _tls() -> SSLContext:
    """What every client would load anew, at forty times the cost of the rest of it."""
    return httpx.create_ssl_context(trust_env=False)


def stated(http: httpx.Client) -> dict[str, Any]:
    """What the service says of itself at /version.

    Raises:
        ReleaseError: it says something else.
    """
    answer = http.get("/version")
    if answer.status_code != 200:
        raise ReleaseError(f"{answer.url} answers {answer.status_code}: {_said(answer)}")
    found: dict[str, Any] = answer.json()
    return found


def mask_for(http: httpx.Client, name: str, image: bytes) -> BoolMask:
    """The mask that the service draws on a picture file's content.

    Raises:
        ReleaseError: it fails on the picture, or its answer is no mask.
        DeploymentError: it refuses the picture, or us, or is busy with others for a minute.
    """
    answer = _let_in(http, name, image)
    if answer.status_code >= 500:
        raise ReleaseError(f"{answer.url} fails on the picture {name}: {answer.status_code}, {_said(answer)}")
    if answer.status_code == 401:
        raise DeploymentError(f"{answer.url} wants its key: WMS_SERVING_API_KEY must be set for deployments, too")
    if answer.status_code != 200:
        raise DeploymentError(f"{answer.url} refuses the picture {name}: {answer.status_code}, {_said(answer)}")
    try:
        return mask_of(answer.content)
    except PictureError as error:
        raise ReleaseError(f"{answer.url} answers the picture {name} with no mask: {error}") from error


def _let_in(http: httpx.Client, name: str, image: bytes) -> httpx.Response:
    deadline = time.monotonic() + _SECONDS
    while True:
        answer = http.post("/predict", files={"image": (name, image)}, headers={"Accept": "image/png"})
        if "overloaded" not in _said(answer):
            return answer
        if time.monotonic() > deadline:
            raise DeploymentError(f"{answer.url} is too busy for a picture of ours: deploy again when it is quieter")
        time.sleep(_PAUSE)


def _said(answer: httpx.Response) -> str:
    """What an answer that is none says; empty for one that is."""
    return "" if answer.status_code == 200 else answer.text[:500]
