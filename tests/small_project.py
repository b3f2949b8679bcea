"""A checkout of a few bytes that looks like the project to whoever builds its image."""

from pathlib import Path
from typing import Final

DOCKERFILE: Final = """ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS code
COPY serving /app/serving
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${REVISION}"
LABEL org.opencontainers.image.source="${SOURCE}"
FROM nothing-that-exists
"""
PROJECT: Final = """[project]
version = "1.2.3"
dependencies = ["numpy"]
[project.optional-dependencies]
serving = ["fastapi"]
training = ["torch"]
"""


_FILES: Final = {
    "serving/Dockerfile": DOCKERFILE,
    "serving/app.py": "",
    "wms_ml/page.css": "",
    ".dockerignore": "*\n!serving\n",
    "constraints.txt": "numpy==2\n",
    "pyproject.toml": PROJECT,
    "README.md": "",
    "tests/test_app.py": "",
    "serving/__pycache__/app.pyc": "",
}


def small_project(folder: Path) -> Path:
    """Write it below `folder`."""
    for name, content in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder
