"""The watch over a canary: both tracks' own figures, from the beginning of the watch to its end, side by side.

It ends early when the canary clearly fails. On a quiet night, when too few people call, the golden pictures are sent to
both tracks at the end: then it is decided, too.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Final

import httpx

from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.canary_figures import Counts, Figures, Tally, added, counted
from wms_resources.deployment.canary_verdict import CHANCE, EARLY_CHANCE, objections
from wms_resources.deployment.golden import Golden
from wms_resources.deployment.service_calls import calling, mask_for
from wms_resources.deployment.targets import Target, Track

_OUTCOMES: Final = ("answered", "failed", "busy")
"""How a request ends that the stable track sends on (`serving/metrics.py`)."""

_AGAIN_SECONDS: Final = 1
"""After so long an instance that did not answer is asked once more: a connection may break by accident."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a release reaches people.

    Attributes:
        canary: whether it takes a share of their pictures first, and is watched.
        share: the share, above 0 to 1.
        seconds: how long it is watched.
        requests: pictures that both tracks must have had before it is judged.
        poll_seconds: time between two looks.
    """

    canary: bool = True
    share: float = 0.1
    seconds: float = 300
    requests: int = 20
    poll_seconds: float = 5


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen.

    Attributes:
        stable: figures of the stable track.
        canary: figures of the canary.
        seconds: how long it took.
        sent: golden pictures that the watch sent by itself, to each track.
        objections: what speaks against the canary, a sentence each; none: it does as well.
    """

    stable: Figures
    canary: Figures
    seconds: float
    sent: tuple[int, int]
    objections: tuple[str, ...]

    @property
    def words(self) -> str:
        """The outcome in a sentence."""
        if self.objections:
            return f"the canary lost the watch after {self.seconds:.0f} s: {'; '.join(self.objections)}"
        quiet = f" ({self.sent[0]} and {self.sent[1]} of them golden ones of ours: few people called)"
        return (
            f"the canary did as well on {self.canary.requests} pictures as the stable track on "
            f"{self.stable.requests}{quiet if any(self.sent) else ''}"
        )

    def markdown(self) -> str:
        """Both tracks side by side, as a table for people."""
        rows = ["| | stable | canary |", "| --- | ---: | ---: |"]
        pairs = (_cells(self.stable, self.sent[0]), _cells(self.canary, self.sent[1]))
        rows += [f"| {name} | {pairs[0][name]} | {pairs[1][name]} |" for name in pairs[0]]
        sent_on = ", ".join(f"{self.stable.forwarded(each)} {each}" for each in _OUTCOMES)
        return "\n".join([*rows, "", f"Sent on to the canary: {sent_on}. {self.words[0].upper()}{self.words[1:]}."])


def watch(target: Target, plan: Plan, golden: Golden, tell: Callable[[str], None] = lambda _: None) -> Watch:
    """Watch the canary of a target beside its stable track.

    Args:
        target: both tracks stand there, and the canary has its share.
        plan: how long, and how many pictures.
        golden: what to send when too few people call.
        tell: hears what is done, a sentence at a time.

    Raises:
        DeploymentError: the target, or its stable track, does not answer: that says nothing about the canary.
    """
    return _Watcher(target, plan, golden, tell).run()


class _Watcher:
    def __init__(self, target: Target, plan: Plan, golden: Golden, tell: Callable[[str], None]) -> None:
        self._target = target
        self._plan = plan
        self._golden = golden
        self._tell = tell
        self._begun = time.monotonic()
        self._tallies = {Track.STABLE: Tally(), Track.CANARY: Tally()}
        self._sent = {Track.STABLE: 0, Track.CANARY: 0}

    def run(self) -> Watch:
        try:
            self._look()
            found = self._wait() or self._decide()
        except ReleaseError as error:
            found = [str(error)]
        figures, sent = [self._tallies[track].figures for track in Track], [self._sent[track] for track in Track]
        seconds = time.monotonic() - self._begun
        return Watch(figures[0], figures[1], seconds, (sent[0], sent[1]), tuple(found))

    def _wait(self) -> list[str]:
        """Look again and again until the time is over or the canary clearly fails; what speaks against it then."""
        end = self._begun + self._plan.seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(self._plan.poll_seconds, left))
            self._look()
            if found := self._objections(EARLY_CHANCE):
                return found
        return []

    def _decide(self) -> list[str]:
        self._require_share()
        for track in Track:
            self._fill(track)
        return self._objections(CHANCE)

    def _require_share(self) -> None:
        """Golden pictures stand in for people who did not call, and not for those whose pictures were never sent on."""
        stable, share = self._tallies[Track.STABLE].figures, self._plan.share
        sent_on = sum(stable.forwarded(each) for each in _OUTCOMES)
        due = (stable.requests + sent_on) * share
        if not sent_on and due >= self._plan.requests:
            raise DeploymentError(
                f"the stable track answered {stable.requests} pictures and sent none on to the canary, "
                f"which takes {share:.0%} of them: it does not reach it"
            )

    def _objections(self, chance: float) -> list[str]:
        stable, canary = (self._tallies[track].figures for track in Track)
        return objections(stable, canary, self._plan.requests, chance)

    def _look(self) -> None:
        """Add what both tracks counted since the last look.

        Raises:
            ReleaseError: the canary ended, began anew, is not ready or does not answer.
            DeploymentError: the stable track does not answer.
        """
        for track, tally in self._tallies.items():
            try:
                looked = self._looked(track)
            except DeploymentError:
                time.sleep(_AGAIN_SECONDS)
                looked = self._looked(track)
            tally.add(looked)
        if self._tallies[Track.CANARY].lost:
            raise ReleaseError("an instance of it ended, or began anew")

    def _looked(self, track: Track) -> dict[str, Counts]:
        found: dict[str, Counts] = {}
        with self._instances(track) as urls:
            for url in urls:
                name, counts = _instance(url, self._golden.key)
                found[name] = added(found.get(name, {}), counts)  # two may have begun at the same moment
        return found

    @contextmanager
    def _instances(self, track: Track) -> Iterator[list[str]]:
        """Addresses of the instances; what they do wrong in the block is the canary's fault, or nobody's we judge."""
        with self._target.instances(track) as urls:
            fault: type[DeploymentError] = ReleaseError if track is Track.CANARY else DeploymentError
            if not urls:
                raise fault(f"no instance of the {track} track is there any more")
            try:
                yield urls
            except DeploymentError as error:
                raise fault(f"on the {track} track, {error}") from error

    def _fill(self, track: Track) -> None:
        """Send golden pictures to a track until it has had enough pictures, and look."""
        missing = self._plan.requests - self._tallies[track].figures.requests
        if missing <= 0:
            return
        self._tell(f"few people call: {missing} golden pictures go to the {track} track")
        with self._instances(track) as urls:
            for number, url, picture in zip(range(missing), cycle(urls), cycle(self._golden.pictures), strict=False):
                self._send(url, picture.name, picture.image)
                self._sent[track] = number + 1
        self._look()
        had = self._tallies[track].figures.requests
        if had < self._plan.requests:
            raise DeploymentError(f"the {track} track counts {had} pictures at /metrics, though more were sent to it")

    def _send(self, url: str, name: str, image: bytes) -> None:
        """Have a picture answered; a service that fails on it counts that by itself, one that dies is missed."""
        try:
            with calling(url, self._golden.key) as http:
                mask_for(http, name, image)
        except ReleaseError:
            _instance(url, self._golden.key)


def _instance(url: str, key: str) -> tuple[str, Counts]:
    """What tells an instance apart, and what it counted.

    Raises:
        ReleaseError: it is not ready, or hangs up.
        DeploymentError: it cannot be reached.
    """
    with calling(url, key) as http:
        ready, metrics = http.get("/ready"), http.get("/metrics")
    for answer in (ready, metrics):
        if answer.status_code != httpx.codes.OK:
            raise ReleaseError(f"{answer.url} answers {answer.status_code}")
    began, counts = counted(metrics.text)
    return began or url, counts


def _cells(figures: Figures, sent: int) -> dict[str, str]:
    p95 = figures.quantile_seconds(0.95)
    return {
        "pictures": f"{figures.requests} ({sent} golden)" if sent else str(figures.requests),
        "failed": f"{figures.faults} ({figures.fault_share:.1%})",
        "mean": f"{figures.mean_seconds * 1000:.0f} ms",
        "p95": f"{p95 * 1000:.0f} ms",
    }
