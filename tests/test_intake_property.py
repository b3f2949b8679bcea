"""Whatever people, outages and SIGKILL do: every ready drop is processed once per version, and nothing is lost.

Hypothesis draws the sequences; WMS_SEQUENCES sets how many (200 by default), more than that are drawn anew each time.
"""

import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.builders import pictures
from tests.intake_world import LONG, Intake, Run
from wms_ml.errors import StoreError

pytestmark = pytest.mark.slow

SEQUENCES = int(os.environ.get("WMS_SEQUENCES", "200"))
CONTENTS = pictures(5)
IDS = ("20260101-000000", "20260101-000001", "20251231-120000", "april")
NAMES = ("a", "b", "c")

Files = dict[str, bytes]
ids = st.sampled_from(IDS)
contents = st.integers(0, len(CONTENTS) - 1)
pairs = st.dictionaries(st.sampled_from(NAMES), contents, min_size=1, max_size=2)
while_sending = st.one_of(st.integers(0, 14), st.none())
while_running = st.one_of(st.integers(0, 70), st.none())


def files_of(named: Mapping[str, int]) -> Files:
    images = {f"images/{name}.jpg": CONTENTS[index][0] for name, index in named.items()}
    return images | {f"masks/{name}.png": CONTENTS[index][1] for name, index in named.items()}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def merged(accepted: Mapping[str, tuple[str, str]], files: Files) -> dict[str, tuple[str, str]] | None:
    """What is accepted after a drop of these files; None when it has to be refused. The specification, in short."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path, content in files.items():
        folder, name = path.split("/")
        found[name.split(".")[0]][folder] = sha256(content)
    if any(len(pair) < 2 for pair in found.values()):
        return None
    new = {name: (pair["images"], pair["masks"]) for name, pair in found.items()}
    if len({image for image, _ in new.values()}) < len(new):
        return None
    for name, pair in new.items():
        elsewhere = {image for other, (image, _) in accepted.items() if other != name}
        if accepted.get(name, pair) != pair or (name not in accepted and pair[0] in elsewhere):
            return None
    return {**accepted, **new}


class Sequence(RuleBasedStateMachine):
    """One random history, and a model of it: what the store holds, and what has been accepted."""

    url = ""
    readings: Path | None = None

    @initialize(named=st.lists(pairs, max_size=3))
    def begin(self, named: list[dict[str, int]]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="intake-"))
        self.intake = Intake(self.folder, self.url, self.readings)
        self.held: dict[str, Files] = {}
        self.sent: dict[str, set[str]] = {}
        self.broken: dict[str, Files] = {}
        self.accepted: dict[str, tuple[str, str]] = {}
        self.out = False
        for drop, each in zip(IDS, named, strict=False):
            self.send_files(drop, files_of(each), None)
        self.intake.tick()

    @rule(drop=ids, named=pairs, die_at=while_sending)
    def send(self, drop: str, named: dict[str, int], die_at: int | None) -> None:
        self.send_files(drop, self.broken.get(drop) or files_of(named), None if self.out else die_at)

    def send_files(self, drop: str, files: Files, die_at: int | None) -> None:
        said = self.intake.send(drop, files, die_at)
        assert said in (["outage"] if self.out else ["sent", "killed", "refused"]), said
        if drop in self.held or said in ("refused", "outage"):
            assert drop in self.held or said == "outage"
            return
        if said == "killed" and not self.intake.has_manifest(drop):
            self.broken[drop] = files
            return
        self.held[drop], self.sent[drop] = dict(files), set(files)
        self.broken.pop(drop, None)

    @precondition(lambda self: not self.out)
    @rule(
        drop=ids,
        name=st.sampled_from(NAMES),
        content=contents,
        part=st.sampled_from(["both", "image", "mask"]),
    )
    def copy_by_hand(self, drop: str, name: str, content: int, part: str) -> None:
        if drop in self.broken:
            return
        files = files_of({name: content})
        for path in files:
            if part == "both" or path.startswith(part):
                self.intake.write(drop, path, files[path])
                self.held.setdefault(drop, {})[path] = files[path]

    @precondition(lambda self: not self.out)
    @rule(drop=ids, name=st.sampled_from(NAMES))
    def take_out(self, drop: str, name: str) -> None:
        for path in (f"images/{name}.jpg", f"masks/{name}.png"):
            if path in self.held.get(drop, {}):
                self.intake.remove(drop, path)
                del self.held[drop][path]
        if drop not in self.sent and not self.held.get(drop):
            self.held.pop(drop, None)

    @rule(
        hasty=st.booleans(),
        sweep=st.booleans(),
        crash_after=st.one_of(st.none(), st.integers(0, 2)),
        runs=st.lists(while_running, max_size=3),
    )
    def tick(self, hasty: bool, sweep: bool, crash_after: int | None, runs: list[int | None]) -> None:
        if sweep:
            self.intake.make_sweep_due()
        try:
            self.intake.tick(0 if hasty else LONG, crash_after)
        except StoreError:
            assert self.out
        else:
            assert not self.out
        for die_at in runs[: len(self.intake.queue)]:
            self.note(*self.intake.run_next(die_at))

    @precondition(lambda self: self.intake.queue)
    @rule(die_at=while_running)
    def run_oldest(self, die_at: int | None) -> None:
        self.note(*self.intake.run_next(die_at))

    @rule()
    def forget(self) -> None:
        self.intake.forget()

    @precondition(lambda self: not self.url)
    @rule()
    def outage(self) -> None:
        (self.intake.end_outage if self.out else self.intake.begin_outage)()
        self.out = not self.out

    def note(self, run: Run, said: str) -> None:
        """Hold a run's outcome against the model."""
        files = self.held.get(run.drop, {})
        whole = self.sent.get(run.drop, set()) <= set(files)
        after = merged(self.accepted, files) if files and whole else None
        now = self.intake.accepted()
        if said == "accepted":
            assert after is not None
            assert now == after
        elif said == "killed":
            assert now in (self.accepted, after)
        else:
            assert now == self.accepted
            assert said != "refused" or after is None
        self.accepted = now

    def teardown(self) -> None:
        if not hasattr(self, "intake"):
            return
        if self.out:
            self.outage()
        for drop, files in list(self.broken.items()):
            self.send_files(drop, files, None)
        for _ in range(30):
            self.intake.make_sweep_due()
            if not self.intake.tick() and not self.intake.queue:
                break
            while self.intake.queue:
                self.note(*self.intake.run_next(None))
        else:
            raise AssertionError("it never comes to rest")
        ready = self.intake.ready()
        assert {drop.drop_id for drop in ready} == {drop for drop, files in self.held.items() if files}
        assert all(self.intake.finished[drop.key] == 1 for drop in ready), self.intake.finished
        assert max(self.intake.finished.values(), default=1) == 1, self.intake.finished
        self.intake.instance.dispose()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Imports everything and decodes every picture once, before processes are forked, and not in each of them."""
    folder = tmp_path_factory.mktemp("warm")
    Intake(folder).warm_up(files_of({f"n{index}": index for index in range(len(CONTENTS))}))
    Sequence.readings = folder / "quality" / "readings.db"


def drawn(count: int, **more: Any) -> settings:
    return settings(
        max_examples=count,
        stateful_step_count=10,
        deadline=None,
        derandomize=count <= 200,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def test_every_version_of_every_drop_is_processed_once_and_nothing_is_lost() -> None:
    run_state_machine_as_test(Sequence, settings=drawn(SEQUENCES))


def test_the_same_holds_for_a_bucket(bucket: str) -> None:
    class InBucket(Sequence):
        count = 0

        def __init__(self) -> None:
            super().__init__()
            InBucket.count += 1
            self.url = f"{bucket}/{InBucket.count}"

    run_state_machine_as_test(InBucket, settings=drawn(max(5, SEQUENCES // 20)))
