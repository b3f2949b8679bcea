"""What Prometheus asks the service: how many pictures, how fast, what went wrong, and whether there is a model.

Every label value comes from this program: the version of its model, and codes of a closed list. What callers send never
becomes one, for each new value is a series that lives as long as the process.
"""

from enum import StrEnum
from threading import Lock
from typing import Final

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

UNLOADED: Final = "none"
"""The model version while no model is loaded."""

CODES: Final = frozenset(
    {
        "empty",
        "form",
        "format",
        "internal",
        "no-picture",
        "not-ready",
        "overloaded",
        "parameter",
        "several-pictures",
        "timeout",
        "too-large",
        "too-many-pictures",
        "truncated",
        "unauthorized",
        "undecodable",
    }
)
"""Problem codes that are counted under their own names; every other one counts as `other`."""

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; closest together where one picture on one or two cores lies."""


class Outcome(StrEnum):
    """How a request ended that was sent on to the canary."""

    ANSWERED = "answered"
    FAILED = "failed"
    BUSY = "busy"


class Metrics:
    """The service's figures, in a registry of their own. Any thread may call any method."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        label, where = ("model_version",), self.registry
        self._predictions = Counter("wms_predictions", "Pictures answered.", label, registry=where)
        self._latency = Histogram(
            "wms_predict_latency_seconds",
            "Time from a picture's arrival to its answer, waiting included.",
            label,
            registry=where,
            buckets=_BUCKETS,
        )
        self._errors = Counter("wms_predict_errors", "Pictures refused, by reason.", (*label, "code"), registry=where)
        self._loaded = Gauge("wms_model_loaded", "1 when a verified model is loaded and warm.", label, registry=where)
        self._waiting = Gauge("wms_predict_waiting", "Pictures that wait for their turn.", label, registry=where)
        self._canary = Counter(
            "wms_canary_requests", "Requests sent on to the canary, by what came of it.", ("outcome",), registry=where
        )
        for outcome in Outcome:
            self._canary.labels(outcome)
        ProcessCollector(registry=where)
        self._swap = Lock()
        self._model_version = UNLOADED
        self._loaded.labels(UNLOADED).set(0)
        self._waiting.labels(UNLOADED).set(0)

    def loaded(self, model_version: str) -> None:
        """A model is at work from now on; its series begin at 0, so that a rate knows the first picture too."""
        self._predictions.labels(model_version)
        self._latency.labels(model_version)
        for code in CODES:
            self._errors.labels(model_version, code)
        with self._swap:
            before, self._model_version = self._model_version, model_version
            self._waiting.labels(model_version).set(0)
            self._loaded.labels(model_version).set(1)
            if before != model_version:
                self._waiting.remove(before)
                self._loaded.remove(before)

    def predicted(self, seconds: float) -> None:
        """One picture was answered, so many seconds after it came."""
        self._predictions.labels(self._model_version).inc()
        self._latency.labels(self._model_version).observe(seconds)

    def failed(self, code: str) -> None:
        """One picture was refused; `code` is its `Problem`'s."""
        self._errors.labels(self._model_version, code if code in CODES else "other").inc()

    def waiting(self, count: int) -> None:
        """So many pictures wait for their turn now."""
        with self._swap:  # else the series of the version before could come back
            self._waiting.labels(self._model_version).set(count)

    def sent_on(self, outcome: Outcome) -> None:
        """One request was sent on to the canary."""
        self._canary.labels(outcome).inc()


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    """Serve `metrics` at /metrics, in the text form that the asking program prefers."""

    @app.get("/metrics", include_in_schema=False)
    async def exposition(request: Request) -> Response:
        write, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(write(metrics.registry), headers={"Content-Type": media_type})
