"""A canary is judged by what both tracks counted: beyond chance, on a quiet night too, and not for others' faults."""

import os
import re
import signal
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Timer

import httpx
import pytest
from prometheus_client import generate_latest

from serving.metrics import Metrics, Outcome
from tests.bad_models import fails_on_blue
from tests.rollout_world import QUICK, blue_photo, release, write_golden
from tests.serving_process import Service, running
from tests.uploads import photo
from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.canary_figures import Figures, Tally, counted
from wms_resources.deployment.canary_verdict import EARLY_CHANCE, objections
from wms_resources.deployment.canary_watch import Plan, Watch, watch
from wms_resources.deployment.golden import golden
from wms_resources.deployment.targets import Package, Standing, Target, Track

LEAST = 20
BLUE = blue_photo()


def figures(answered: int = 0, seconds: float = 0.06, slow: int = 0, **more: int) -> Figures:
    """What a service says that answered so many, `slow` of them in 2 s; `more` are its refusals and what it sent on."""
    metrics = Metrics()
    metrics.loaded("7")
    for number in range(answered):
        metrics.predicted(2 if number < slow else seconds)
    for name, count in more.items():
        for _ in range(count):
            if name.startswith("sent_"):
                metrics.sent_on(Outcome(name.removeprefix("sent_")))
            else:
                metrics.failed(name.replace("_", "-"))
    return Figures(counted(generate_latest(metrics.registry).decode())[1])


def test_figures_are_read_from_what_a_service_says() -> None:
    seen = figures(10, internal=2, not_ready=1, overloaded=5, format=4, timeout=3, sent_answered=6, sent_failed=2)
    assert (seen.answered, seen.faults, seen.requests) == (10, 3, 13), "neither callers' faults nor a full house"
    assert seen.fault_share == pytest.approx(3 / 13)
    assert seen.mean_seconds == pytest.approx(0.06)
    assert (seen.forwarded("answered"), seen.forwarded("failed"), seen.forwarded("busy")) == (6, 2, 0)
    assert Figures({}).quantile_seconds(0.95) == Figures({}).mean_seconds == 0


def test_quantiles_are_linear_inside_a_bucket_and_end_at_the_highest_bound() -> None:
    seen = figures(100, seconds=0.06, slow=10)  # 90 up to 0.075 and over 0.05, 10 up to 2.5 and over 1.5
    assert seen.quantile_seconds(0.45) == pytest.approx(0.0625)
    assert seen.quantile_seconds(0.95) == pytest.approx(2.0)
    assert [seen.slower_than(seconds) for seconds in (0.05, 0.0625, 0.075, 1, 2, 2.5)] == [100, 55, 10, 10, 5, 0]
    assert figures(10, seconds=60).quantile_seconds(0.95) == 10
    assert figures(10, seconds=60).slower_than(11) == 10


def test_differences_are_added_up_over_instances_that_come_and_go() -> None:
    def counts(*answered: int) -> dict[str, dict[tuple[str, str], float]]:
        return {name: {("wms_predictions_total", ""): value} for name, value in zip("ab", answered, strict=False)}

    tally = Tally()
    tally.add(counts(100))
    assert (tally.figures.answered, tally.lost) == (0, 0)
    tally.add(counts(110, 5))
    assert (tally.figures.answered, tally.lost) == (15, 0), "one that came counts from nought"
    tally.add({"b": counts(0, 7)["b"]})
    assert (tally.figures.answered, tally.lost) == (17, 1), "one that went keeps what it counted"
    tally.add({"b": counts(0, 3)["b"]})
    assert (tally.figures.answered, tally.lost) == (20, 2), "a counter that fell has begun anew"


ALIKE = figures(400, slow=4)


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (figures(200), figures(19, internal=1)),
        (figures(380, internal=20), figures(95, internal=5)),
        (ALIKE, figures(40, slow=3)),
        (ALIKE, figures(19, seconds=2)),
        (figures(19), figures(400, seconds=2)),
        (figures(400), figures(400, seconds=0.11)),
        (figures(200, sent_answered=19, sent_failed=1, sent_busy=30), figures(20)),
        (figures(200), figures(20, overloaded=50, format=50)),
    ],
    ids=["one failure", "both fail", "slow by chance", "few", "few on stable", "within limits", "one not sent", "busy"],
)
def test_what_chance_or_callers_bring_is_no_objection(stable: Figures, canary: Figures) -> None:
    assert objections(stable, canary, LEAST) == []


@pytest.mark.parametrize(
    ("stable", "canary", "said"),
    [
        (figures(2000), figures(392, internal=8), r"failed on 8 of 400 pictures \(2\.0%\); the stable .* 0 of 2000"),
        (figures(190, internal=10), figures(18, internal=2), r"failed on 2 of 20 pictures \(10\.0%\)"),
        (figures(1000, sent_answered=90, sent_failed=5), figures(90), "gave no answer to 5 of 95"),
        (figures(400), figures(400, seconds=0.25), "p95 is 295 ms, over 161 ms, .* 1.5 times the stable track's 74 ms"),
        (ALIKE, figures(40, slow=8), "p95 is"),
    ],
    ids=["beyond chance", "over the limit", "sent on", "slow", "slow at times"],
)
def test_what_chance_does_not_explain_is_an_objection(stable: Figures, canary: Figures, said: str) -> None:
    (found,) = objections(stable, canary, LEAST)
    assert re.search(said, found), found


def test_while_the_watch_goes_on_more_is_asked_of_an_objection() -> None:
    stable, canary = figures(400), figures(97, internal=3)
    assert objections(stable, canary, LEAST)
    assert objections(stable, canary, LEAST, EARLY_CHANCE) == []


@dataclass
class TwoServices(Target):
    """Two services that are there already: a target to watch, and for nothing else."""

    urls: dict[Track, str]

    @property
    def url(self) -> str:
        return self.urls[Track.STABLE]

    @contextmanager
    def instances(self, track: Track) -> Iterator[list[str]]:
        yield [self.urls[track]]

    def lock(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def standing(self) -> Standing:
        raise NotImplementedError

    def put(self, track: Track, package: Package, *, share: float = 0, trial: bool = False) -> None:
        raise NotImplementedError

    def remove(self, track: Track) -> None:
        raise NotImplementedError

    def tidy(self, keep: Collection[str]) -> list[str]:
        raise NotImplementedError


@dataclass
class Bench:
    """Two running services, and pictures to send them when nobody else does."""

    services: dict[Track, Service]
    folder: Path

    def call(self, track: Track, count: int, picture: bytes = BLUE) -> None:
        for _ in range(count):
            files = {"image": ("x.png", picture)}
            httpx.post(f"{self.services[track].url}/predict", files=files, headers={"X-API-Key": "open"}, timeout=60)

    def watch(self, plan: Plan = QUICK, told: list[str] | None = None) -> Watch:
        target = TwoServices({track: service.url for track, service in self.services.items()})
        tell = (told if told is not None else []).append
        return watch(target, plan, golden(str(self.folder / "golden"), key="open"), tell)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The canary fails on what is blue, as no golden picture is."""
    write_golden(tmp_path / "golden")
    stable, canary = release(tmp_path, "1"), release(tmp_path, "2", fails_on_blue)
    with (
        running_for_a_key(tmp_path, canary, WMS_SERVING_SHARE="0.5") as second,
        running_for_a_key(tmp_path, stable, WMS_SERVING_CANARY=second.url) as first,
    ):
        yield Bench({Track.STABLE: first, Track.CANARY: second}, tmp_path)


def running_for_a_key(folder: Path, package: Package, **settings: str) -> AbstractContextManager[Service]:
    return running(Path(package.folder), folder / f"{package.tag}.log", WMS_SERVING_API_KEY="open", **settings)


def test_on_a_quiet_night_golden_pictures_decide_and_that_is_said(bench: Bench) -> None:
    bench.call(Track.CANARY, 3)  # its failures of before the watch do not count
    while '"answered"} 0.0' in httpx.get(f"{bench.services[Track.STABLE].url}/metrics").text:
        bench.call(Track.STABLE, 1, photo())  # until it knows of the canary
    told: list[str] = []
    seen = bench.watch(told=told)
    assert seen.objections == ()
    assert (seen.stable.requests, seen.canary.requests, seen.sent) == (8, 8, (8, 8))
    assert seen.stable.forwarded("answered") == 0, "each instance answers our pictures itself"
    assert "few people called" in seen.words
    assert [words.split(":")[0] for words in told] == ["few people call"] * 2
    assert "| pictures | 8 (8 golden) | 8 (8 golden) |" in seen.markdown()


def test_a_canary_that_clearly_fails_ends_the_watch_early(bench: Bench) -> None:
    def people() -> None:
        bench.call(Track.STABLE, 8)
        bench.call(Track.CANARY, 8)

    plan = replace(QUICK, seconds=600, poll_seconds=0.5)
    calling = Timer(1, people)
    calling.start()
    seen = bench.watch(plan)
    calling.join()
    assert seen.seconds < plan.seconds
    assert seen.sent == (0, 0)
    assert "it failed on" in seen.words


def test_a_canary_that_died_has_lost_and_a_stable_track_that_died_says_nothing_about_it(bench: Bench) -> None:
    os.kill(bench.services[Track.CANARY].process.pid, signal.SIGKILL)
    seen = bench.watch()
    assert "on the canary track" in seen.words
    assert "cannot be reached" in seen.words
    os.kill(bench.services[Track.STABLE].process.pid, signal.SIGKILL)
    with pytest.raises(DeploymentError, match="on the stable track"):
        bench.watch()


def test_a_canary_that_people_are_never_sent_to_is_not_let_through(tmp_path: Path) -> None:
    write_golden(tmp_path / "golden")
    with (
        running_for_a_key(tmp_path, release(tmp_path, "1")) as alone,
        running_for_a_key(tmp_path, release(tmp_path, "2"), WMS_SERVING_SHARE="0.5") as canary,
    ):
        bench = Bench({Track.STABLE: alone, Track.CANARY: canary}, tmp_path)
        calling = Timer(1, lambda: bench.call(Track.STABLE, 16))
        calling.start()
        with pytest.raises(DeploymentError, match="answered 16 pictures and sent none on to the canary") as caught:
            bench.watch(replace(QUICK, seconds=10))
        calling.join()
    assert not isinstance(caught.value, ReleaseError), "it is not the release's fault"
