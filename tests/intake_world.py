"""Intake as a whole, with hands to disturb it: a store, the sensor with its daemon, runs in processes that can be
killed, a data repository, and what people do to the store meanwhile."""

import contextlib
import json
import logging
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from tests.data_world import dying_at, end, start
from wms_assets.dataset import DropConfig, quality_checks, raw_dataset, validated_dataset
from wms_ml.errors import DropError, StoreError
from wms_resources.data_repo import DataRepo, DataVersion
from wms_resources.inspector import Inspector
from wms_resources.manifests import pairs_at
from wms_resources.objects import open_objects
from wms_resources.quarantine import Quarantine
from wms_resources.readiness import Drop
from wms_resources.store import Store
from wms_resources.workspace import Workspace
from wms_sensors.drops import new_drops
from wms_sensors.horizon import Horizon

STEPS = {"subprocess.Popen", "os.rename", "os.remove", "os.mkdir", "os.link", "os.chmod", "shutil.copyfile"}
"""Audit events that a process may be killed before: all that changes something outside of it."""
LONG = 3600


@dg.job
def anything() -> None:
    """Stands for the job of a run."""


@dataclass(frozen=True)
class Run:
    """A run in the daemon's queue."""

    run_id: str
    drop: str
    version: str
    tags: Mapping[str, str]
    root: str = ""

    @property
    def key(self) -> str:
        return f"{self.drop}:{self.version}"


@dataclass
class _Journal:
    """Stands for an asset's context: what it tells Dagster is on disk at that moment, whatever happens next."""

    run: Run
    file: Path
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("run"))

    @property
    def run_id(self) -> str:
        return self.run.run_id

    @property
    def instance(self) -> "_Journal":
        return self

    def add_run_tags(self, _: str, tags: Mapping[str, str]) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps(tags) + "\n")

    def tags(self) -> dict[str, str]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return {key: value for line in lines for key, value in json.loads(line).items()}


class Intake:
    """One set-up below `folder`; the store is a folder there unless `url` is given.

    `readings` is what another one remembers of the same pictures, so that decoding them again costs no time here.
    """

    def __init__(self, folder: Path, url: str = "", readings: Path | None = None) -> None:
        self.folder = folder
        if readings:
            (folder / "quality").mkdir()
            shutil.copyfile(readings, folder / "quality" / readings.name)
        self.root = folder / "store"
        self.url = url or str(self.root)
        if not url:
            self.root.mkdir(parents=True)
        self.instance = dg.DagsterInstance.ephemeral()
        self.data_repo = DataRepo(
            path=str(folder / "data"), origin=str(folder / "origin.git"), remote=str(folder / "remote")
        )
        self.cursor: str | None = None
        self.queue: list[Run] = []
        self.finished: Counter[str] = Counter()

    def store(self, settle: int = 0) -> Store:
        return Store(url=self.url, settle_seconds=settle, reconcile_seconds=LONG)

    def warm_up(self, files: Mapping[str, bytes]) -> None:
        """One run in this very process, which imports everything and decodes these pictures."""
        for path, content in files.items():
            self.write("warm", path, content)
        self.tick()
        run = self.queue.pop()
        self._work(run, _Journal(run, self.folder / "warm.tags"))

    # What people do

    def send(self, drop_id: str, files: Mapping[str, bytes], die_at: int | None) -> str:
        """`wms drop` in a process of its own: `sent`, `killed`, `refused` or `outage`."""
        sources = {}
        for path, content in files.items():
            sources[path] = self.folder / "mine" / drop_id / path
            sources[path].parent.mkdir(parents=True, exist_ok=True)
            sources[path].write_bytes(content)
        return self._in_process(lambda: self.store().put(sources, drop_id) and "sent", die_at)

    def write(self, drop_id: str, path: str, content: bytes) -> None:
        open_objects(self.url).write(f"drops/{drop_id}/{path}", content)

    def remove(self, drop_id: str, path: str) -> None:
        open_objects(self.url).remove(f"drops/{drop_id}/{path}")

    def has_manifest(self, drop_id: str) -> bool:
        return open_objects(self.url).read(f"drops/{drop_id}/manifest.json") is not None

    def begin_outage(self) -> None:
        self.root.rename(self.folder / "away")

    def end_outage(self) -> None:
        (self.folder / "away").rename(self.root)

    # What the daemon does

    def tick(self, settle: int = 0, crash_after: int | None = None) -> int:
        """Evaluate the sensor and start runs; after `crash_after` of them the daemon dies and forgets the cursor."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"store": self.store(settle)})
        outcome: Any = new_drops(context)
        requests = outcome.run_requests if isinstance(outcome, dg.SensorResult) else []
        for request in requests[:crash_after]:
            tags = {**request.tags, "dagster/run_key": request.run_key}
            if not self.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": request.run_key})):
                asked = request.run_config["ops"]["raw_dataset"]["config"]
                self._enqueue(len(self.queue), asked["drop"], asked["version"], tags)
        if crash_after is None:
            self.cursor = outcome.cursor if isinstance(outcome, dg.SensorResult) else context.cursor
        return len(requests)

    def forget(self) -> None:
        self.cursor = None

    def make_sweep_due(self) -> None:
        self.cursor = Horizon.read(self.cursor).model_copy(update={"reconciled": 0.0}).model_dump_json()

    def run_next(self, die_at: int | None) -> tuple[Run, str]:
        """Run the oldest in the queue: `accepted`, `refused`, `changed`, `outage`, or `killed`: then it is retried."""
        run = self.queue.pop(0)
        journal = _Journal(run, self.folder / f"{run.run_id}.tags")
        said = self._in_process(lambda: self._work(run, journal), die_at)
        self.instance.add_run_tags(run.run_id, journal.tags())
        if said == "killed":
            self._enqueue(0, run.drop, run.version, run.tags, run.root or run.run_id)
        if said in ("accepted", "refused"):
            self.finished[run.key] += 1
        return run, said

    def accepted(self) -> dict[str, tuple[str, str]]:
        """Name to contents' hashes of what `main` holds."""
        return {pair.name: (pair.image_sha256, pair.mask_sha256) for pair in pairs_at(self.data_repo)}

    def ready(self) -> list[Drop]:
        """Every drop in the store, as the version it is now."""
        found = [self.store().look(name) for name in self.store().names()]
        return [drop for drop in found if isinstance(drop, Drop)]

    def _enqueue(self, place: int, drop: str, version: str, tags: Mapping[str, str], root: str = "") -> None:
        lineage = {"parent_run_id": root, "root_run_id": root} if root else {}
        run_id = self.instance.create_run_for_job(anything, tags=dict(tags), **lineage).run_id
        self.queue.insert(place, Run(run_id, drop, version, tags, root))

    def _work(self, run: Run, journal: _Journal) -> str:
        workspace = Workspace(home=str(self.folder / "home"))
        inspector = Inspector(folder=str(self.folder / "quality"))
        landed = next(
            _body(raw_dataset)(
                context=journal,
                config=DropConfig(drop=run.drop, version=run.version),
                store=self.store(),
                data_repo=self.data_repo,
                inspector=inspector,
                quarantine=Quarantine(folder=str(self.folder / "quarantine")),
                workspace=workspace,
            ),
            None,
        )
        if landed is None:
            return "changed"
        checks = _body(quality_checks)(landed.value)
        if any(not check.passed and check.severity is dg.AssetCheckSeverity.ERROR for check in checks):
            return "refused"
        data = _body(validated_dataset)(landed.value, self.data_repo, inspector, workspace).value
        self.data_repo.accept(DataVersion(data.branch, data.commit, data.images_md5, data.masks_md5))
        return "accepted"

    def _in_process(self, work: Callable[[], object], die_at: int | None) -> str:
        answer = self.folder / "answer"
        answer.unlink(missing_ok=True)

        def told() -> None:
            logging.disable(logging.CRITICAL)
            answer.write_text(_outcome(work))

        status = end(start(told if die_at is None else dying_at(die_at, STEPS, told)))
        if status == -signal.SIGKILL:
            for lock in self.folder.rglob("*.lock"):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(lock, (0, 0))  # spares the next one the wait for it to become old
            return "killed"
        assert status == 0, status
        return answer.read_text()


def _outcome(work: Callable[[], object]) -> str:
    try:
        return str(work())
    except StoreError:
        return "outage"
    except DropError:
        return "refused"
    except dg.Failure as failure:
        return "outage" if isinstance(failure.__cause__, StoreError) else "refused"


def _body(asset: Any) -> Callable[..., Any]:
    """The function that an asset or check was made from."""
    return asset.op.compute_fn.decorated_fn
