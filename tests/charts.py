"""The chart as Helm renders it."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.serving_process import ROOT

CHART: Final = ROOT / "infra" / "helm" / "wms-model"
DIGEST: Final = f"sha256:{'a' * 64}"

Manifest = dict[str, Any]


def release(version: str = "7", **more: Any) -> dict[str, Any]:
    """Values of a track on which a release stands."""
    image = f"registry.example:5000/meters@{DIGEST}"
    return {"enabled": True, "image": image, "tag": "0123456789ab", "modelVersion": version, "digest": DIGEST, **more}


def helm(folder: Path, *words: str, values: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
    """Run helm with values that say a stable release, and these."""
    if shutil.which("helm") is None:
        pytest.skip("NO HELM: helm is not installed, so nobody rendered the chart")
    given = folder / "values.json"
    given.write_text(json.dumps({"stable": release(), **values}))
    line = ["helm", *words, f"--values={given}"]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def render(folder: Path, *options: str, environment: str = "", **values: Any) -> dict[tuple[str, str], Manifest]:
    """Everything that the chart makes, by kind and name."""
    files = [f"--values={CHART}/values-{environment}.yaml"] if environment else []
    done = helm(folder, "template", "wms-model", str(CHART), *files, *options, values=values)
    assert done.returncode == 0, done.stderr
    made: list[Manifest] = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in made}


def pod(manifests: Mapping[tuple[str, str], Manifest], track: str = "stable") -> Manifest:
    """What a track's Deployment says of its pods."""
    template: Manifest = manifests["Deployment", f"wms-model-{track}"]["spec"]["template"]
    return template


def container(manifests: Mapping[tuple[str, str], Manifest], track: str = "stable") -> Manifest:
    """What it says of their one container."""
    (found,) = pod(manifests, track)["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(manifests: Mapping[tuple[str, str], Manifest], track: str = "stable") -> dict[str, Any]:
    """The variables that it is given."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(manifests, track)["env"]}
