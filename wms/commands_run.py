"""Commands that run jobs: demo, run, dev."""

import os
import sys
import sysconfig
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from wms.commands_data import upload
from wms.output import print_json, say
from wms.settings import PROJECT, Settings, load_settings

_DEMO_COUNT: Final = 240
_DEMO_SIZE: Final = (360, 480)
_DEMO_TRAINING: Final = {"size": 192, "epochs": 12}
"""Small enough for two cores and ten minutes; every WMS_TRAIN_* variable that is set wins."""


def demo(
    data: Annotated[Path | None, typer.Option(help="folder with images/ and masks/; default: rendered samples")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="take the first N pairs only")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """From pictures to a running service: drop, check, version, train, judge, promote, deploy."""
    from wms.runs import run_job
    from wms_resources.drop_folder import drop_files, first_pairs

    settings, started = load_settings(), time.monotonic()
    files = drop_files(data or _samples(settings, limit or _DEMO_COUNT))
    dropped = upload(settings, first_pairs(files, limit) if limit else files)
    say(f"drop {dropped.drop_id}")
    config: dict[str, dict[str, Any]] = {
        "raw_dataset": {"drop": dropped.drop_id},
        "trained_model": _demo_training(settings),
    }
    finished = run_job(settings, "drop_to_deployment", config)
    deployed = finished.metadata["deployed_image"]
    outcome = {
        "dice": deployed["dice"],
        "iou": deployed["iou"],
        "model_version": deployed["model version"],
        "url": deployed["address"],
        "data_version": finished.metadata["validated_dataset"]["data version"],
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        print_json(outcome)
        return
    say("")
    say(f"  version {outcome['model_version']} is in production and serving")
    say(f"  Dice {outcome['dice']:.3f}, IoU {outcome['iou']:.3f} on pictures it never saw ({outcome['seconds']:.0f} s)")
    say(f"  open {outcome['url']} and drop a picture on it (stop it with `wms stop`)")
    say("  see everything that happened with `make dev`")


def run(
    job: Annotated[str, typer.Argument(help="drop_to_deployment, train_and_gate, deploy_current or deploy_status")],
    drop: Annotated[str, typer.Option(help="id of the drop; default: the newest")] = "",
    preset: Annotated[str | None, typer.Option(help="recipe by name: source")] = None,
    architecture: Annotated[str | None, typer.Option(help="such as unet, fpn")] = None,
    encoder: Annotated[str | None, typer.Option(help="such as resnet18, mobilenet_v2")] = None,
    epochs: Annotated[int | None, typer.Option(help="epochs at most")] = None,
    minutes: Annotated[float | None, typer.Option(help="minutes that an attempt may take")] = None,
    data_version: Annotated[str | None, typer.Option(help="data to train on: any name in `wms data list`")] = None,
    init: Annotated[str | None, typer.Option(help="weights to start from: scratch or champion")] = None,
    experiment: Annotated[str | None, typer.Option(help="MLflow experiment")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print what each asset reported as JSON")] = False,
) -> None:
    """Run a job here and now; the UI shows it too. Options about training hold for this run alone."""
    asked = {
        "preset": preset,
        "architecture": architecture,
        "encoder": encoder,
        "epochs": epochs,
        "minutes": minutes,
        "data_version": data_version,
        "init": init,
        "experiment": experiment,
    }
    config = _config(job, drop, {name: value for name, value in asked.items() if value is not None})
    from wms.runs import run_job

    finished = run_job(load_settings(), job, config)
    if as_json:
        short = {
            key: {n: v for n, v in values.items() if not _is_picture(v)} for key, values in finished.metadata.items()
        }
        print_json({"run_id": finished.run_id, "assets": short})
    else:
        say(f"{job} succeeded: {', '.join(finished.metadata)}")


def _config(job: str, drop: str, training: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Configuration of a job's assets."""
    jobs: dict[str, dict[str, dict[str, Any]]] = {
        "drop_to_deployment": {"raw_dataset": {"drop": drop}, "trained_model": training},
        "train_and_gate": {"trained_model": training},
        "deploy_current": {},
        "deploy_status": {},
    }
    if job not in jobs:
        raise typer.BadParameter(f"no job '{job}'; there are {', '.join(jobs)}")
    return jobs[job]


def dev(port: Annotated[int, typer.Option(help="port of the UI")] = 3000) -> None:
    """Open the Dagster UI with everything in it: assets, checks, jobs, sensors."""
    from wms.runs import prepare_dagster_home

    prepare_dagster_home(load_settings())
    command = Path(sysconfig.get_path("scripts")) / "dg"
    os.chdir(PROJECT)
    say(f"opening the UI at http://127.0.0.1:{port}")
    sys.stderr.flush()
    os.execv(str(command), [str(command), "dev", "--host", "127.0.0.1", "--port", str(port)])


def _samples(settings: Settings, count: int) -> Path:
    from wms_ml.files import whole_folder
    from wms_ml.reporting import bar
    from wms_ml.samples import write_samples

    folder = settings.home / "samples" / str(count)
    if not folder.exists():
        say(f"rendering {count} pictures of water meters")
        with whole_folder(folder) as part, bar(count, "render") as progress:
            write_samples(part, count, size=_DEMO_SIZE, on_progress=lambda _: progress.update())
    return folder


def _demo_training(settings: Settings) -> dict[str, int]:
    return {name: value for name, value in _DEMO_TRAINING.items() if f"train_{name}" not in settings.model_fields_set}


def _is_picture(value: Any) -> bool:
    return isinstance(value, str) and "data:image" in value
