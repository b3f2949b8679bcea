"""A set-up with model versions in it: real MLflow, real data repository, real ONNX files; only training is left out."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from typer.testing import CliRunner, Result

from tests.builders import table
from tests.onnx_model import write_red_model
from wms.cli import app
from wms.definitions import Resources, resources
from wms.settings import Settings
from wms_ml.dataset import load_dataset
from wms_ml.files import digest_of
from wms_ml.gate import judge
from wms_ml.pairs import Pair, data_version, write_manifest
from wms_ml.scoring import ScoreTable
from wms_ml.split import VERSION as SPLIT_VERSION
from wms_resources.data_repo import DataVersion
from wms_resources.evidence import Attempt, Evidence
from wms_resources.registry import ModelVersion

CODE = "c0de"
ENVIRONMENT = {"environment.cpu": "Slow, 2 cores", "environment.gpu": "none", "environment.python": "3.11.9"}

Command = Callable[..., Result]


@pytest.fixture
def models(tmp_path: Path, blank_mlflow: bytes) -> "ModelsWorld":
    return ModelsWorld(tmp_path / "home", blank_mlflow)


@pytest.fixture
def wms(models: "ModelsWorld", monkeypatch: pytest.MonkeyPatch) -> Command:
    """`wms models` on that set-up, in this process; errors come out as they are."""
    monkeypatch.setenv("WMS_HOME", str(models.home))
    monkeypatch.setenv("WMS_USER", "ann")
    monkeypatch.setenv("DAGSTER_HOME", str(models.home / "dagster"))
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str, expect: int = 0) -> Result:
        done = CliRunner().invoke(app, ["models", *arguments])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == expect, done.output
        return done

    return invoke


def told(wms: Command, *arguments: str) -> Any:
    return json.loads(wms(*arguments, "--json").stdout)


class ModelsWorld:
    """A set-up below `home` and the tools to fill it."""

    def __init__(self, home: Path, mlflow: bytes) -> None:
        self.home = home
        (home / "mlflow").mkdir(parents=True)
        (home / "mlflow" / "mlflow.db").write_bytes(mlflow)
        self.settings = Settings(home=home, _env_file=None)
        self.parts: Resources = resources(self.settings)
        self.data: DataVersion | None = None
        self.data_version = "d0d0cafed0d0"

    def drop(self, folder: Path) -> Sequence[Pair]:
        """Propose a folder's pairs; versions made from now on were trained on them."""
        pairs = load_dataset(folder)
        files = {path: folder / path for pair in pairs for path in (pair.image, pair.mask)}
        write_manifest(pairs, self.home / "manifest.parquet")
        self.data = self.parts.data_repo.propose("first", files, self.home / "manifest.parquet")
        self.data_version = data_version(pairs)
        return pairs

    def version(
        self, name: str = "one", write: Callable[[Path], object] = write_red_model, **params: Any
    ) -> ModelVersion:
        """A registered version; its file finds what is red, and differs from others by its name alone."""
        folder = self.home / "made" / name
        folder.mkdir(parents=True)
        write(folder / "model.onnx")
        model = onnx.load(folder / "model.onnx")
        model.doc_string = name
        onnx.save(model, folder / "model.onnx")
        tags = {"init": "scratch", "code_version": CODE, **ENVIRONMENT}
        with self.parts.tracking.attempt("job seed 0", "dagster-run", tags) as run:
            run.params({"architecture": "unet", "encoder": "resnet18", "size": 64, "epochs": 5, **params})
            run.metrics({"training_seconds": 754.0, "epochs": 5.0, "validation_dice": 0.75})
            run.files(folder, "model")
        return self.parts.registry.register(
            run.run_id, digest_of(folder / "model.onnx"), self.data_version, self._tags()
        )

    def judged(self, version: ModelVersion, dice: Sequence[float], champion: ModelVersion | None = None) -> None:
        """Evidence for a version, whose Dice is given picture by picture; the champion's is 0.5 on all."""
        ours = table(*dice, model=version.digest, data_version=self.data_version)
        theirs = self._scores(champion, len(dice)) if champion else None
        evidence = Evidence(
            version=version.version,
            champion=champion.version if champion else None,
            data_version=self.data_version,
            split_version=SPLIT_VERSION,
            code_version=CODE,
            attempts=(Attempt(0, 5, 0.75, 0.6, True),),
            verdict=judge(ours, theirs).as_json(),
            challenger_scores=ours,
            champion_scores=theirs,
        )
        self.parts.registry.save_evidence(version, evidence)
        self.parts.registry.note(
            version.version, {"dice": f"{ours.mean('dice'):.6f}", "iou": f"{ours.mean('iou'):.6f}"}
        )

    def promoted(self, *names: str, write: Callable[[Path], object] = write_red_model) -> list[ModelVersion]:
        """Versions, each put into production by the gate in place of the one before."""
        done: list[ModelVersion] = []
        for name in names:
            version, champion = self.version(name, write), self.parts.registry.champion()
            self.judged(version, [0.6 + index / 100 for index in range(12)], champion)
            self.parts.promoter.promote(
                self.parts.registry, version.version, self.data_version, by="the job", reason="better"
            )
            done.append(version)
        return done

    def sheets(self, folder: Path, content: bytes) -> Path:
        """A folder with the three contact sheets."""
        folder.mkdir(parents=True)
        for name in ("best", "median", "worst"):
            (folder / f"{name}.jpg").write_bytes(content + name.encode())
        return folder

    def production(self) -> str | None:
        champion = self.parts.registry.champion()
        return champion.version if champion else None

    def _scores(self, champion: ModelVersion, count: int) -> ScoreTable:
        return table(*[0.5] * count, model=champion.digest, data_version=self.data_version)

    def _tags(self) -> dict[str, str]:
        tags = {"architecture": "unet", "encoder": "resnet18", "seed": "0", "code_version": CODE}
        if self.data:
            data = self.data
            tags |= {"drop": "first", "commit": data.commit, "images_md5": data.images_md5, "masks_md5": data.masks_md5}
        return {**tags, "split_version": SPLIT_VERSION}
