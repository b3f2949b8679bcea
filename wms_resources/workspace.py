"""Working folders below WMS_HOME: landed drops, reports, checked-out data sets. All of it can be made again."""

import re
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from wms_ml.files import write_whole


class Workspace(dg.ConfigurableResource):
    """Folders that assets work in.

    Attributes:
        home: the folder all state lives in.
    """

    home: str

    @property
    def staging(self) -> Path:
        """Landed drops, one folder a version."""
        return self._made("staging")

    @property
    def datasets(self) -> Path:
        """Checked-out data sets, one folder a data version."""
        return self._made("datasets")

    @property
    def evaluations(self) -> Path:
        """Score tables and overlays."""
        return self._made("evaluations")

    def test_scores(self, data_version: str, version: str) -> Path:
        """Where a model version's scores and overlays of a data version's test side are."""
        return self.evaluations / f"test-{data_version}-version-{version}"

    def write_report(self, key: str, files: Mapping[str, str]) -> Path:
        """Write a drop's report files.

        Returns:
            the folder they are in.
        """
        folder = self._made("reports") / re.sub(r"[^A-Za-z0-9._-]", "-", key)
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            write_whole(folder / name, text)
        return folder

    def _made(self, name: str) -> Path:
        folder = Path(self.home) / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
