"""The image of code and dependencies: built once for what goes into it, found in the registry ever after.

Its tag is a hash of its inputs, so a new model, other documentation or another test builds nothing.
"""

import hashlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from wms_ml.errors import DeploymentError
from wms_resources.code_version import git_commit
from wms_resources.images.image_builder import Say, choose
from wms_resources.images.image_registry import ImageRegistry

CODE_LABEL: Final = "wms.code"
"""Label of an image of a release: the tag of the image of code that it stands on."""


@dataclass(frozen=True, slots=True)
class CodeImage:
    """The image in the registry.

    Attributes:
        tag: `code-` and 12 hex digits.
        digest: `sha256:...` of its manifest.
        size: bytes of its layers, as the registry keeps them.
        built: whether it was built for this call.
    """

    tag: str
    digest: str
    size: int
    built: bool


@dataclass(frozen=True)
class CodeImages:
    """Makes the image where the registry has none.

    Attributes:
        project: folder with serving/Dockerfile and what it copies.
        base: image it starts from.
        builder: `auto`, `docker` or `podman`.
        registry: where it is kept.
        say: is given each line of what the builder says.
    """

    project: Path
    base: str
    builder: str
    registry: ImageRegistry
    say: Say

    @cached_property
    def tag(self) -> str:
        """The tag of the code as it is now: `code-` and its hash."""
        return f"code-{code_hash(self.project, self.base)}"

    def ensure(self) -> CodeImage:
        """The image of the code as it is now.

        Raises:
            DeploymentError: it must be built and cannot be, or the registry fails.
        """
        found = self._standing(built=False)
        if found:
            return found
        builder = choose(self.builder, self.registry, self.say)
        builder.build(self.project, self.tag, self.base, _lineage(self.project))
        try:
            builder.push(self.tag)
        except DeploymentError:
            # Somebody was quicker, and this registry lets nobody replace a tag: theirs is as good.
            if self._standing(built=True) is None:
                raise
        pushed = self._standing(built=True)
        if pushed is None:
            raise DeploymentError(f"{self.registry.repository}:{self.tag} was pushed, but the registry has it not")
        builder.forget_others(self.tag)
        return pushed

    def _standing(self, *, built: bool) -> CodeImage | None:
        manifest = self.registry.manifest(self.tag)
        if manifest is None:
            return None
        size = sum(layer["size"] for layer in manifest.parsed().get("layers", ()))
        return CodeImage(self.tag, manifest.digest, size, built)


def code_hash(project: Path, base: str) -> str:
    """12 hex digits over what the image is made of: Dockerfile, sources, pinned dependencies, and its base's name.

    Args:
        project: folder with serving/Dockerfile and what it copies.
        base: name of the base image; empty where nothing is built on one.

    Raises:
        DeploymentError: `project` is no checkout of the project.
    """
    digest = hashlib.sha256(base.encode())
    try:
        for name, content in _inputs(project):
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    except OSError as error:
        raise DeploymentError(f"{error.filename}: {error.strerror}; releases are made from a whole checkout") from error
    return digest.hexdigest()[:12]


def _inputs(project: Path) -> Iterator[tuple[str, bytes]]:
    """As .dockerignore lets them through; of pyproject.toml only what is installed."""
    for name in ("serving/Dockerfile", ".dockerignore", "constraints.txt"):
        yield name, (project / name).read_bytes()
    stated = _pyproject(project)
    yield "dependencies", json.dumps([stated["dependencies"], stated["optional-dependencies"]["serving"]]).encode()
    for folder in ("serving", "wms_ml"):
        for path in sorted(each for each in (project / folder).rglob("*") if each.is_file()):
            if "__pycache__" not in path.parts:
                yield path.relative_to(project).as_posix(), path.read_bytes()


def _pyproject(project: Path) -> dict[str, Any]:
    stated: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    return stated


def _lineage(project: Path) -> dict[str, str]:
    """Where the image comes from, as the Dockerfile's arguments."""
    ask = ["git", "-C", str(project), "remote", "get-url", "origin"]
    asked = subprocess.run(ask, capture_output=True, text=True, check=False) if (project / ".git").exists() else None
    source = re.sub(r"(?<=://)[^/@]*@", "", asked.stdout.strip()) if asked else ""  # a token may stand there
    return {
        "VERSION": _pyproject(project)["version"],
        "REVISION": git_commit() or "unknown",
        "SOURCE": source or "unknown",
    }
