"""A registry whose calls of MLflow a test can count, refuse, or die at."""

import sys
from collections.abc import Callable
from typing import Any, Final

from wms_resources.registry import Registry

MLFLOW_CALL: Final = "tests.mlflow"
"""Audit event of a call of MLflow's client, where `watched` made it one."""


class Faulty:
    """MLflow's client, with `before` and `after` called around each of its calls."""

    def __init__(self, client: Any, before: Callable[[str], None], after: Callable[[str], None]) -> None:
        self._client, self._before, self._after = client, before, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self._before(name)
            answer = method(*arguments, **options)
            self._after(name)
            return answer

        return call


def around(
    registry: Registry, before: Callable[[str], None], after: Callable[[str], None] = lambda _: None
) -> Registry:
    """The registry, with its client watched."""
    registry.__dict__["client"] = Faulty(registry.client, before, after)  # where cached_property keeps it
    return registry


def watched(registry: Registry) -> Registry:
    """The registry, raising an audit event before each call of its client."""
    return around(registry, lambda name: sys.audit(MLFLOW_CALL, name))
