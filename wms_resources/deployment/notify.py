"""Telling people: one JSON object, posted to the address that they gave (a Slack webhook, or any that takes JSON)."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

_SECONDS: Final = 10


def notify(webhook: str, text: str, incident: Mapping[str, Any]) -> str:
    """Post `{"text": ..., "incident": {...}}`.

    Returns:
        why it was not delivered, without the address, which is a secret; empty when it was.
    """
    try:
        answer = httpx.post(webhook, json={"text": text, "incident": dict(incident)}, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"WMS_NOTIFY_WEBHOOK cannot be reached ({type(error).__name__})"
    return "" if answer.is_success else f"WMS_NOTIFY_WEBHOOK answers {answer.status_code}"
