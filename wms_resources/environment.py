"""On what a training ran: the machine and the packages, as MLflow keeps them with the run."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path

import psutil


def environment() -> dict[str, str]:
    """Python, torch, operating system, processor and graphics cards, as tags of a run."""
    return {
        "environment.python": platform.python_version(),
        "environment.torch": version("torch"),
        "environment.os": platform.platform(),
        "environment.cpu": f"{_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB",
        "environment.gpu": ", ".join(_graphics_cards()) or "none",
    }


def requirements() -> str:
    """Every installed package with its version, one a line, as pip reads them."""
    found = {f"{each.metadata['Name']}=={each.version}" for each in distributions()}
    return "\n".join(sorted(found, key=str.lower)) + "\n"


def _processor() -> str:
    listed = Path("/proc/cpuinfo")  # elsewhere Python knows its name
    names = [line.partition(":")[2].strip() for line in _lines(listed) if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _graphics_cards() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
