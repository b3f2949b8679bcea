"""Two versions side by side, as real processes: who answers, what is counted where, and what callers see of it."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.callers import Callers
from tests.canary_stub import canary_stub, hears, wait_until
from tests.onnx_model import write_release
from tests.rig import free_port
from tests.serving_process import Service, running
from tests.uploads import photo

PICTURE: Final[dict[str, Any]] = {"files": {"image": photo()}}
KEY: Final = {"X-API-Key": "a-long-random-text"}
SETTINGS: Final = {"WMS_SERVING_API_KEY": KEY["X-API-Key"], "WMS_SERVING_QUEUE": "100"}


@dataclass(frozen=True)
class Pair:
    stable: Service
    canary: Service


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Releases of version 7 and 8, in folders called so."""
    folder = tmp_path_factory.mktemp("releases")
    for version in "78":
        write_release(folder / version, model_version=version)
    return folder


@pytest.fixture(scope="module")
def pair(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Version 7, with version 8 as a canary that takes a tenth."""
    folder = tmp_path_factory.mktemp("pair")
    with running(releases / "8", folder / "8.log", WMS_SERVING_SHARE="0.1", **SETTINGS) as canary:
        set_up = SETTINGS | {"WMS_SERVING_CANARY": canary.url}
        with running(releases / "7", folder / "7.log", **set_up) as stable:
            hears(stable, "version 8 takes 0.1")
            yield Pair(stable, canary)


@pytest.fixture
def http(pair: Pair) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=pair.stable.url, headers=KEY, timeout=60) as client:
        yield client


def version(http: httpx.Client) -> str:
    return str(http.post("/predict", **PICTURE).raise_for_status().json()["model_version"])


def figure(service: Service, name: str) -> float:
    """A sample of its /metrics, by its name with all labels."""
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    (value,) = (line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} "))
    return float(value)


def test_every_tenth_of_a_hundred_requests_is_the_canarys_and_counts_there(pair: Pair, http: httpx.Client) -> None:
    names = {
        "here": (pair.stable, 'wms_predictions_total{model_version="7"}'),
        "there": (pair.canary, 'wms_predictions_total{model_version="8"}'),
        "sent on": (pair.stable, 'wms_canary_requests_total{outcome="answered"}'),
    }
    before = {name: figure(*where) for name, where in names.items()}
    versions = [version(http) for _ in range(100)]
    assert {(index - versions.index("8")) % 10 for index, each in enumerate(versions) if each == "8"} == {0}
    assert Counter(versions) == {"7": 90, "8": 10}
    grown = {name: figure(*where) - before[name] for name, where in names.items()}
    assert grown == {"here": 90, "there": 10, "sent on": 10}


def test_the_share_is_exact_when_many_ask_at_once(http: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as callers:
        assert Counter(callers.map(lambda _: version(http), range(100))) == {"7": 90, "8": 10}


def test_batches_are_shared_too(http: httpx.Client) -> None:
    files = [("image", photo()), ("image", photo(6))]
    answers = [http.post("/predict/batch", files=files).raise_for_status().json() for _ in range(10)]
    assert Counter(answer["model_version"] for answer in answers) == {"7": 9, "8": 1}
    assert [len(answer["pictures"]) for answer in answers] == [2] * 10


def test_nothing_else_is_shared(pair: Pair, http: httpx.Client) -> None:
    assert [http.get("/version").json()["model_version"] for _ in range(20)] == ["7"] * 20


def test_a_request_has_the_same_id_in_both_logs_and_the_first_says_that_it_was_sent_on(
    pair: Pair, http: httpx.Client
) -> None:
    for index in range(10):
        http.post("/predict", **PICTURE, headers={"X-Request-ID": f"both-{index}"}).raise_for_status()

    def lines(service: Service) -> list[dict[str, Any]]:
        seen = [json.loads(line) for line in service.errors.read_text().splitlines()]
        return [line for line in seen if line.get("request_id", "").startswith("both-")]

    wait_until(lambda: len(lines(pair.stable)) == 10)
    (there,) = lines(pair.canary)
    sent_on = [line for line in lines(pair.stable) if "canary" in line]
    assert [(line["request_id"], line["canary"]) for line in sent_on] == [(there["request_id"], "answered")]


def test_no_call_fails_while_a_canary_comes_is_killed_and_comes_again(releases: Path, tmp_path: Path) -> None:
    port, answered = free_port(), Counter[str]()
    set_up = SETTINGS | {"WMS_SERVING_CANARY": f"http://127.0.0.1:{port}"}

    def answers_of(version: str) -> None:
        """Wait for twenty more."""
        before = answered[version]
        wait_until(lambda: answered[version] >= before + 20)

    with (
        running(releases / "7", tmp_path / "7.log", **set_up) as stable,
        httpx.Client(base_url=stable.url, headers=KEY, timeout=60) as client,
    ):

        def call() -> None:
            answered[version(client)] += 1
            time.sleep(0.02)  # or the canary takes long to start

        with Callers(call, call) as callers:
            for life in (1, 2):
                log, own = tmp_path / f"8-{life}.log", SETTINGS | {"WMS_SERVING_SHARE": "0.5"}
                with running(releases / "8", log, "--port", str(port), **own) as canary:
                    answers_of("8")
                    canary.process.kill()
                    hears(stable, "nothing is sent", times=life)
            answers_of("7")
    assert callers.failures == []


def test_a_service_that_is_its_own_canary_sends_a_request_on_once(releases: Path, tmp_path: Path) -> None:
    port = free_port()
    set_up = SETTINGS | {"WMS_SERVING_CANARY": f"http://127.0.0.1:{port}", "WMS_SERVING_SHARE": "1"}
    with running(releases / "7", tmp_path / "7.log", "--port", str(port), **set_up) as service:
        hears(service)
        with httpx.Client(base_url=service.url, headers=KEY, timeout=60) as http:
            assert [version(http) for _ in range(5)] == ["7"] * 5
        assert figure(service, 'wms_canary_requests_total{outcome="answered"}') == 5
        assert figure(service, 'wms_predictions_total{model_version="7"}') == 5


def test_the_canary_is_asked_over_a_new_connection_each_time(releases: Path, tmp_path: Path) -> None:
    """One that is kept goes on reaching an instance that was replaced."""
    with canary_stub() as stub, running(releases / "7", tmp_path / "7.log", WMS_SERVING_CANARY=stub.url, **SETTINGS):
        wait_until(lambda: len(stub.asked_over) >= 3)
        over = list(stub.asked_over)
    assert len(set(over)) == len(over)
