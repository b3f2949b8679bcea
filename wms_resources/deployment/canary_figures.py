"""What services counted while a canary was watched, from their own /metrics: pictures, failures, seconds.

Counters live as long as a process, so instances are told apart by when their process began, and what is added up are
the differences from one look to the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

Counts = Mapping[tuple[str, str], float]
"""Values by name of a sample and the one label of it that matters; model versions are added up."""

_ANSWERED: Final = "wms_predictions_total"
_ERRORS: Final = "wms_predict_errors_total"
_BUCKETS: Final = "wms_predict_latency_seconds_bucket"
_SECONDS: Final = "wms_predict_latency_seconds_sum"
_FORWARDED: Final = "wms_canary_requests_total"
_LABEL: Final = {_ANSWERED: "", _ERRORS: "code", _BUCKETS: "le", _SECONDS: "", _FORWARDED: "outcome"}
_BEGAN: Final = "process_start_time_seconds"

_FAULTS: Final = frozenset({"internal", "not-ready"})
"""Codes of failures that are the service's own; the others are the caller's, or a full house."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a track counted during a watch, its instances added up.

    Attributes:
        counts: as read.
    """

    counts: Counts

    @property
    def answered(self) -> int:
        """Pictures answered."""
        return round(self.counts.get((_ANSWERED, ""), 0))

    @property
    def faults(self) -> int:
        """Pictures not answered through the service's own fault."""
        return round(sum(self.counts.get((_ERRORS, code), 0) for code in _FAULTS))

    @property
    def requests(self) -> int:
        """Pictures that say something about the service."""
        return self.answered + self.faults

    @property
    def fault_share(self) -> float:
        """Share of `requests` that failed, 0 to 1."""
        return self.faults / self.requests if self.requests else 0.0

    @property
    def mean_seconds(self) -> float:
        """Mean time to an answer."""
        return self.counts.get((_SECONDS, ""), 0) / self.answered if self.answered else 0.0

    def forwarded(self, outcome: str) -> int:
        """Requests that the track sent on to a canary and that ended so: `answered`, `failed` or `busy`."""
        return round(self.counts.get((_FORWARDED, outcome), 0))

    def quantile_seconds(self, share: float) -> float:
        """Time within which this share of the answers came, linear inside a bucket; the highest bound when beyond it.

        Source: Prometheus, query functions, `histogram_quantile`.
        """
        buckets = self._buckets()
        rank = share * buckets[-1][1]
        if not rank:
            return 0.0
        for (low, before), (high, count) in pairwise(buckets):
            if count >= rank:
                return low if high == float("inf") else low + (high - low) * (rank - before) / (count - before)
        return buckets[-1][0]

    def slower_than(self, seconds: float) -> int:
        """Answers that took longer, at least: inside a bucket they are taken as evenly spread, and rounded down."""
        buckets = self._buckets()
        within = 0.0
        for (low, before), (high, count) in pairwise(buckets):
            if seconds >= high:
                within = count
            elif seconds > low:
                within = before + (count - before) * (0 if high == float("inf") else (seconds - low) / (high - low))
        return int(buckets[-1][1] - within + 1e-9)

    def _buckets(self) -> list[tuple[float, float]]:
        """Upper bounds with the answers up to each, from (0, 0) on."""
        found = sorted((float(bound), count) for (name, bound), count in self.counts.items() if name == _BUCKETS)
        return [(0.0, 0.0), *found]


class Tally:
    """What a track counts from the first look on.

    Attributes:
        lost: instances that ended or began anew meanwhile.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._sum: Counts = {}
        self._last: dict[str, Counts] = {}
        self._there: frozenset[str] | None = None

    @property
    def figures(self) -> Figures:
        """So far."""
        return Figures(self._sum)

    def add(self, looked: Mapping[str, Counts]) -> None:
        """Add a look at the track: the counts of its instances, by what tells these apart."""
        if self._there is not None:
            self.lost += len(self._there - looked.keys())
            for instance, counts in looked.items():
                self._add(instance, counts)
        self._there = frozenset(looked)
        self._last.update(looked)

    def _add(self, instance: str, counts: Counts) -> None:
        before = self._last.get(instance, {})
        if any(counts.get(key, 0) < value for key, value in before.items()):
            self.lost += 1  # where a process does not say when it began, this tells that it began anew
            before = {}
        new = {key: value - before.get(key, 0) for key, value in counts.items()}
        self._sum = added(self._sum, new)


def added(one: Counts, other: Counts) -> Counts:
    """The sum of two."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def counted(text: str) -> tuple[str, Counts]:
    """What one instance says at /metrics.

    Returns:
        when its process began, empty where it does not say, and its counts.

    Raises:
        ValueError: it is not Prometheus' text form.
    """
    began = ""
    counts: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _BEGAN:
                began = repr(sample.value)
            elif sample.name in _LABEL:
                key = (sample.name, sample.labels.get(_LABEL[sample.name], ""))
                counts[key] = counts.get(key, 0) + sample.value
    return began, counts
