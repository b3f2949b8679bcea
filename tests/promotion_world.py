"""What the tests of promotion share: one registry, one data repository, versions with evidence, and machines."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.builders import table
from tests.mlflow_server import blank
from wms_ml.gate import judge
from wms_ml.split import VERSION as SPLIT_VERSION
from wms_resources.data_repo import DataRepo
from wms_resources.evidence import Attempt, Evidence
from wms_resources.production_records import PromotionRecord
from wms_resources.promotion import Promoter, Promotion
from wms_resources.registry import ModelVersion, Registry
from wms_resources.tracking import Tracking

CODE = "code of the attempt"
MLFLOW_CALL = "tests.mlflow"
"""Audit event of a call of MLflow's client, where `watched` made it one."""


@pytest.fixture(scope="session")
def blank_mlflow(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return blank(tmp_path_factory.mktemp("blank"))


@pytest.fixture
def world(tmp_path: Path, blank_mlflow: bytes, monkeypatch: pytest.MonkeyPatch) -> "World":
    # no connection may be open when a test forks or puts the database back
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    return World(tmp_path, blank_mlflow)


@pytest.fixture
def challenge(world: "World") -> "Challenge":
    return Challenge(world)


class World:
    """A registry and a data repository below `home`, with the tools to fill them."""

    def __init__(self, home: Path, blank_database: bytes) -> None:
        self.home = home
        self.database = home / "mlflow.db"
        self.database.write_bytes(blank_database)
        self.origin = home / "code-host" / "data.git"  # where the definitions have it
        self.uri = f"sqlite:///{self.database}"
        self.tracking = Tracking(uri=self.uri, artifacts=str(home / "artifacts"), experiment="e")
        self.registry = self.new_registry()
        self.promoter = self.machine("machine")

    def new_registry(self) -> Registry:
        return Registry(uri=self.uri, model_name="m", downloads=str(self.home / "downloads"))

    def machine(self, name: str) -> Promoter:
        """The promoter of a machine with a clone of its own."""
        repo = DataRepo(path=str(self.home / name), origin=str(self.origin), remote=str(self.home / "dvc-remote"))
        return Promoter(data_repo=repo)

    def version(self, content: bytes, seed: str = "0") -> ModelVersion:
        """A registered version whose ONNX file holds `content`."""
        folder = self.home / "made"
        folder.mkdir(exist_ok=True)
        (folder / "model.onnx").write_bytes(content)
        with self.tracking.attempt(f"job seed {seed}", "dagster-run", {}) as run:
            run.files(folder, "model")
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        tags = {"dice": "0.5", "iou": "0.4", "seed": seed, "code_version": CODE, "encoder": "resnet18"}
        return self.registry.register(run.run_id, digest, "v1", tags)

    def judged(
        self,
        version: ModelVersion,
        dice: float,
        champion: ModelVersion | None,
        champion_dice: float = 0.0,
        **other: Any,
    ) -> None:
        self.registry.save_evidence(version, evidence(version, dice, champion, champion_dice, other))

    def promote(self, version: ModelVersion, promoter: Promoter | None = None, data_version: str = "v1") -> Promotion:
        chosen = promoter or self.promoter
        return chosen.promote(self.new_registry(), version.version, data_version, by="tests", reason="it is better")

    def promoted(self, content: bytes, dice: float) -> ModelVersion:
        """A version that went into production, over the one that was there."""
        champion = self.registry.champion()
        version = self.version(content)
        self.judged(version, dice, champion, dice - 0.1 if champion else 0.0)
        self.promote(version)
        return version

    def rollback(self, to: str | None = None) -> Promotion:
        return self.promoter.rollback(self.new_registry(), by="somebody", reason="it draws nonsense", to=to)

    def move_by_hand(self, version: ModelVersion) -> None:
        self.registry.client.set_registered_model_alias("m", "production", version.version)

    def production(self) -> str | None:
        return self.new_registry().holder("production")

    def history(self) -> list[PromotionRecord]:
        return self.machine("reader").history()

    def state(self) -> tuple[str | None, list[PromotionRecord]]:
        """What no bypass may change."""
        return self.production(), self.history()

    def kept(self) -> Callable[[], None]:
        """What puts registry and history back to where they are now."""
        database, refs = self.database.read_bytes(), self._refs()

        def restore() -> None:
            self.database.write_bytes(database)
            for path in self._refs():
                path.unlink()
            for path, content in refs.items():
                path.write_bytes(content)

        return restore

    def _refs(self) -> dict[Path, bytes]:
        heads = self.origin / "refs" / "heads"
        return {path: path.read_bytes() for path in heads.rglob("*") if path.is_file()}


def evidence(
    version: ModelVersion,
    dice: float,
    champion: ModelVersion | None,
    champion_dice: float = 0.0,
    other: Mapping[str, Any] | None = None,
) -> Evidence:
    """What judging a version gives, with `other` in place of some of it."""
    ours = table(dice, dice, model=version.digest)
    theirs = table(champion_dice, champion_dice, model=champion.digest) if champion else None
    values: dict[str, Any] = {
        "version": version.version,
        "champion": champion.version if champion else None,
        "data_version": "v1",
        "split_version": SPLIT_VERSION,
        "code_version": CODE,
        "attempts": (Attempt(0, 5, 0.7, 0.6, True), Attempt(1, 5, 0.6, 0.5, False)),
        "verdict": judge(ours, theirs).as_json(),
        "challenger_scores": ours,
        "champion_scores": theirs,
    }
    return Evidence(**{**values, **(other or {})})


class Challenge:
    """A champion, and a challenger that was judged better: it may be promoted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.champion = world.promoted(b"champion", 0.5)
        self.challenger = world.version(b"challenger")
        world.judged(self.challenger, 0.6, self.champion, 0.5)
        self.before = world.state()

    def check_nothing_moved(self) -> None:
        assert self.world.state() == self.before

    def check_all_or_nothing(self) -> None:
        """Production is as it was, or the line that moves it is there."""
        alias, history = self.world.state()
        versions = [line.version for line in history]
        assert (alias, versions) in (("1", ["1"]), ("1", ["1", "2"]), ("2", ["1", "2"]))

    def check_done(self) -> None:
        """The challenger is in production, and that is written down once."""
        assert self.world.production() == self.challenger.version
        assert self.world.new_registry().holder("previous") == self.champion.version
        assert [line.version for line in self.world.history()] == ["1", "2"]


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
