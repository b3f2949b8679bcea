"""Which code made a model: what the training program imports, by content, and the commit where there is one."""

import ast
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import wms_ml

PROGRAM: Final = "wms_ml.training"

INDECISIVE: Final = {
    "wms_ml.dataset": "what it reads, sides included, is named by the data version",
    "wms_ml.pairs": "the same",
    "wms_ml.split": "the same",
    "wms_ml.errors": "words",
    "wms_ml.files": "how bytes reach the disk, not which",
    "wms_ml.reporting": "words",
}
"""Modules that the training program imports and that do not decide what it makes of its data, nor do theirs. Whatever
else it comes to import counts: to train again for nothing is cheaper than to show an old model as the new code's."""


def code_version() -> str:
    """12 hex digits over the code that decides what a training makes of its data."""
    digest = hashlib.sha256()
    for name in decisive_modules():
        digest.update(name.encode() + b"\0" + _file(name).read_bytes())
    return digest.hexdigest()[:12]


def decisive_modules() -> list[str]:
    """Modules of ours that decide what a training makes of its data, sorted."""
    return sorted(reached_modules() - INDECISIVE.keys())


def reached_modules() -> set[str]:
    """Modules of ours that the training program imports, directly or through a decisive one."""
    reached, open_ends = {PROGRAM}, [PROGRAM]
    while open_ends:
        for name in _imports(_file(open_ends.pop())):
            if name not in reached and _file(name).exists():
                reached.add(name)
                if name not in INDECISIVE:
                    open_ends.append(name)
    return reached


def git_commit() -> str:
    """Commit of the project's checkout, with `-dirty` when files differ from it; empty when it is none."""
    root = Path(wms_ml.__path__[0]).parent
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""  # a checkout of somebody else's: git refuses to look


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _file(module: str) -> Path:
    package, *below = module.split(".")
    if package != wms_ml.__name__ or not below:
        return Path(wms_ml.__path__[0], "no-module-of-ours")
    return Path(wms_ml.__path__[0], *below).with_suffix(".py")
