"""What Prometheus reads of the service: right figures under many threads, and label values that no caller chooses."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from fastapi import FastAPI
from prometheus_client import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import Metrics, add_metrics
from tests.live_app import live

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_in(text: str) -> Samples:
    """Values by name and labels, as a program that scrapes understands them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def samples_of(metrics: Metrics) -> Samples:
    return samples_in(generate_latest(metrics.registry).decode())


def at(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Threads that take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 1000)
    yield
    sys.setswitchinterval(before)


def test_while_no_model_is_loaded_the_metrics_say_so() -> None:
    samples = samples_of(Metrics())
    assert at(samples, "wms_model_loaded", model_version="none") == 0
    assert at(samples, "wms_predict_waiting", model_version="none") == 0


def test_a_loaded_model_replaces_none_and_its_series_begin_at_zero() -> None:
    metrics = Metrics()
    metrics.loaded("7")
    samples = samples_of(metrics)
    assert at(samples, "wms_model_loaded", model_version="7") == 1
    assert at(samples, "wms_predictions_total", model_version="7") == 0
    assert at(samples, "wms_predict_latency_seconds_count", model_version="7") == 0
    assert at(samples, "wms_predict_errors_total", model_version="7", code="truncated") == 0
    assert at(samples, "wms_predict_waiting", model_version="7") == 0
    assert at(samples, "wms_model_loaded", model_version="none") is None
    assert at(samples, "wms_predict_waiting", model_version="none") is None


def test_the_same_model_may_be_loaded_again() -> None:
    metrics = Metrics()
    metrics.loaded("7")
    metrics.loaded("7")
    assert at(samples_of(metrics), "wms_model_loaded", model_version="7") == 1


def test_predictions_fall_into_the_buckets_of_their_latency() -> None:
    metrics = Metrics()
    metrics.loaded("7")
    for seconds in (0.004, 0.18, 0.19, 30):
        metrics.predicted(seconds)
    samples = samples_of(metrics)
    assert at(samples, "wms_predictions_total", model_version="7") == 4
    assert at(samples, "wms_predict_latency_seconds_sum", model_version="7") == pytest.approx(30.374)
    below = {
        bound: at(samples, "wms_predict_latency_seconds_bucket", model_version="7", le=bound)
        for bound in ("0.005", "0.15", "0.2", "10.0", "+Inf")
    }
    assert below == {"0.005": 1, "0.15": 1, "0.2": 3, "10.0": 3, "+Inf": 4}


def test_errors_of_the_time_before_the_model_are_kept_as_such() -> None:
    metrics = Metrics()
    metrics.failed("not-ready")
    metrics.loaded("7")
    metrics.failed("truncated")
    samples = samples_of(metrics)
    assert at(samples, "wms_predict_errors_total", model_version="none", code="not-ready") == 1
    assert at(samples, "wms_predict_errors_total", model_version="7", code="not-ready") == 0
    assert at(samples, "wms_predict_errors_total", model_version="7", code="truncated") == 1


def test_codes_that_are_not_known_are_one_series_however_many_there_are() -> None:
    metrics = Metrics()
    metrics.loaded("7")
    before = len(samples_of(metrics))
    for number in range(50):
        metrics.failed(f'/path/{number}"\n')
    samples = samples_of(metrics)
    assert at(samples, "wms_predict_errors_total", model_version="7", code="other") == 50
    assert len(samples) == before + 2  # and when it was created


def test_no_event_is_lost_among_many_threads() -> None:
    metrics = Metrics()

    def work(number: int) -> None:
        if number == 100:
            metrics.loaded("7")
        for _ in range(50):
            metrics.predicted(0.1)
            metrics.failed("overloaded")
            metrics.waiting(number)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(200)))
    metrics.waiting(3)
    samples = samples_of(metrics)
    versions = ("none", "7")
    assert sum(at(samples, "wms_predictions_total", model_version=each) or 0 for each in versions) == 10_000
    assert sum(at(samples, "wms_predict_latency_seconds_count", model_version=each) or 0 for each in versions) == 10_000
    errors = [at(samples, "wms_predict_errors_total", model_version=each, code="overloaded") or 0 for each in versions]
    assert sum(errors) == 10_000
    waiting = {labels: value for (name, labels), value in samples.items() if name == "wms_predict_waiting"}
    assert waiting == {(("model_version", "7"),): 3}


def test_a_model_that_is_loaded_while_pictures_wait_leaves_no_series_behind(switching_often: None) -> None:
    metrics, done = Metrics(), Event()

    def wait() -> None:
        while not done.is_set():
            metrics.waiting(1)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(wait)
        for version in range(40):
            metrics.loaded(str(version))
        done.set()
    names = [labels for name, labels in samples_of(metrics) if name in ("wms_predict_waiting", "wms_model_loaded")]
    assert names == [(("model_version", "39"),)] * 2


def test_two_services_in_one_process_do_not_share_figures() -> None:
    one, other = Metrics(), Metrics()
    one.loaded("7")
    one.predicted(0.1)
    assert at(samples_of(other), "wms_predictions_total", model_version="7") is None


def test_the_scraping_program_gets_the_form_that_it_asks_for() -> None:
    app, metrics = FastAPI(), Metrics()
    metrics.loaded("7")
    add_metrics(app, metrics)
    with live(app) as http:
        plain = http.get("/metrics")
        modern = http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert at(samples_in(plain.text), "wms_model_loaded", model_version="7") == 1
    assert at(samples_in(plain.text), "process_open_fds") > 0  # type: ignore[operator]
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "wms_predictions" in {family.name for family in openmetrics_families(modern.text)}
    assert app.openapi()["paths"] == {}
