"""What the tests of promotion share: one registry, one data repository, versions with evidence, and machines."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from tests.builders import table
from wms_ml.gate import judge
from wms_ml.split import VERSION as SPLIT_VERSION
from wms_resources.data_repo import DataRepo
from wms_resources.evidence import Attempt, Evidence
from wms_resources.production_records import HISTORY, PromotionRecord
from wms_resources.promotion import Promoter, Promotion
from wms_resources.registry import ModelVersion, Registry
from wms_resources.tracking import Tracking

CODE = "code of the attempt"


@pytest.fixture
def unpooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow keeps no connection open, so that a test may fork, or put the database back."""
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")


@pytest.fixture
def world(tmp_path: Path, blank_mlflow: bytes, unpooled: None) -> "World":
    return World(tmp_path, blank_mlflow)


@pytest.fixture(scope="session")
def any_challenge(tmp_path_factory: pytest.TempPathFactory, blank_mlflow: bytes) -> "Prepared":
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
        return Prepared(tmp_path_factory.mktemp("challenge"), blank_mlflow)


@pytest.fixture
def challenge(any_challenge: "Prepared", unpooled: None) -> "Challenge":
    return any_challenge.anew()


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
        """What the shared repository says, asked of git itself."""
        branch = self._git("for-each-ref", "refs/heads/production") if self.origin.exists() else ""
        lines = self._git("show", f"production:{HISTORY}").splitlines() if branch else []
        return [PromotionRecord(**json.loads(line)) for line in lines]

    def _git(self, *arguments: str) -> str:
        command = ["git", f"--git-dir={self.origin}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def state(self) -> tuple[str | None, list[PromotionRecord]]:
        """What no bypass may change."""
        return self.production(), self.history()

    def left(self) -> int:
        """What a process left behind, as the next one finds it: objects of git that no branch leads to are nothing."""
        files = (path for path in self.home.rglob("*") if path.is_file() and "objects" not in path.parts)
        return hash(frozenset((path, path.read_bytes()) for path in files))

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

    def check_promoting_ends_it(self, tried: set[int]) -> None:
        """However it was cut off, promoting again ends it; what was `tried` from such a state is not repeated."""
        left = self.world.left()
        if left not in tried:
            tried.add(left)
            self.world.promote(self.challenger)
            self.check_done()


class Prepared:
    """A challenge that is made once: making one takes many calls of MLflow and git, copying it takes none.

    It always lies in the same folder, for MLflow's database names it.
    """

    def __init__(self, folder: Path, blank_database: bytes) -> None:
        self._home, self._copy = folder / "home", folder / "copy"
        self._home.mkdir()
        self._challenge = Challenge(World(self._home, blank_database))
        shutil.copytree(self._home, self._copy)

    def anew(self) -> Challenge:
        """The challenge as it was made, whatever a test did to it."""
        shutil.rmtree(self._home)
        shutil.copytree(self._copy, self._home)
        return copy(self._challenge)
