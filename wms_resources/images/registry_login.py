"""Showing a container registry who we are, in the way that it asks for: a password, or a token got with one.

Registries of clouds and of this machine take the password itself (Basic); those of code hosts send us for a token that
is good for a while and for one kind of use (Bearer).
"""

from base64 import b64encode
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final
from urllib.request import parse_http_list, parse_keqv_list

import httpx

from wms_ml.errors import DeploymentError


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of a registry; both empty where it asks for none."""

    user: str = ""
    password: str = field(default="", repr=False)

    def encoded(self) -> str:
        """As HTTP's basic scheme and the configuration of docker write them."""
        return b64encode(f"{self.user}:{self.password}".encode()).decode()


NOBODY: Final = Credentials()
"""Shown where nobody asks."""


class RegistryLogin(httpx.Auth):
    """Answers a registry's challenges; what was accepted once is shown again until it is refused.

    Only `host`, the registry's own, ever sees it: uploads and downloads may lead to somebody else's storage.
    """

    requires_response_body = True

    def __init__(self, host: str, credentials: Credentials) -> None:
        self._host = host
        self._credentials = credentials
        self._accepted = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`; a refusal that stays one is the caller's to report.

        Raises:
            DeploymentError: the place that the registry names for tokens gives none.
        """
        if request.url.netloc.decode() != self._host:
            yield request
            return
        if self._accepted:
            request.headers["Authorization"] = self._accepted
        refused = yield request
        if refused.status_code != httpx.codes.UNAUTHORIZED:
            return
        scheme, _, stated = refused.headers.get("WWW-Authenticate", "").partition(" ")
        challenge = parse_keqv_list(parse_http_list(stated))
        if scheme.lower() == "bearer" and "realm" in challenge:
            answer = yield self._asking_for_token(challenge)
            if not answer.is_success:
                return
            self._accepted = f"Bearer {_token(answer)}"
        elif scheme.lower() == "basic" and self._credentials.user:
            self._accepted = f"Basic {self._credentials.encoded()}"
        else:
            return
        request.headers["Authorization"] = self._accepted
        yield request

    def _asking_for_token(self, challenge: dict[str, str]) -> httpx.Request:
        wanted: dict[str, str] = {name: challenge[name] for name in challenge if name in ("service", "scope")}
        headers = {"Authorization": f"Basic {self._credentials.encoded()}"} if self._credentials.user else {}
        return httpx.Request("GET", challenge["realm"], params=wanted, headers=headers)


def _token(answer: httpx.Response) -> str:
    try:
        stated = answer.json()
        return str(stated.get("token") or stated["access_token"])
    except (ValueError, KeyError, AttributeError) as error:
        raise DeploymentError(
            f"{answer.url.copy_with(query=None)}, where the registry sends us for a token, gives none: "
            "is WMS_IMAGE_REPOSITORY really a container registry?"
        ) from error
