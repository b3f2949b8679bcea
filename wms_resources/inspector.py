"""How drops are inspected in this set-up: with which thresholds and limits, and what is remembered between drops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from wms_ml.catalogue import Accepted, Catalogue
from wms_ml.errors import EmptyDropError
from wms_ml.quality.check import check_folder
from wms_ml.quality.ledger import Ledger
from wms_ml.quality.report import Report, quarantine
from wms_ml.quality.thresholds import Thresholds
from wms_ml.quality.worker import Limits
from wms_resources.data_repo import DataRepo
from wms_resources.manifests import accepted_at


class Inspector(dg.ConfigurableResource):
    """Inspects drops against the accepted data.

    Attributes:
        folder: holds what is remembered: an index of accepted pairs and the readings of files. Both fill themselves.
        thresholds: fields of `Thresholds`; those that are left out have their defaults.
        decode_seconds: time that decoding one file may take.
        decode_megabytes: memory that it may take.
        workers: files that are decoded at a time.
        quarantine: whether bad pairs are set aside, so that the others of a drop go on.
    """

    folder: str
    thresholds: dict[str, Any] = Field(default_factory=dict)
    decode_seconds: float = 20.0
    decode_megabytes: int = 2048
    workers: int = 2
    quarantine: bool = False

    def accepted(self, repo: DataRepo) -> Accepted:
        """What is accepted now, to be asked."""
        return accepted_at(repo, Catalogue(Path(self.folder) / "catalogue.db"))

    def inspect(
        self, folder: Path, drop: str, accepted: Accepted, on_progress: Callable[[int, int], None] | None = None
    ) -> Report:
        """Inspect the drop in `folder`; nothing in it is changed.

        Raises:
            DropError: the folder has not the form of a drop.
            EmptyDropError: there is no pair in it, not even half of one.
            DataError: what is remembered cannot be read or written.
        """
        memory = Path(self.folder)
        memory.mkdir(parents=True, exist_ok=True)
        report = check_folder(
            folder,
            drop,
            accepted,
            thresholds=Thresholds(**self.thresholds),
            on_progress=on_progress,
            ledger=Ledger(memory / "readings.db"),
            limits=Limits(self.decode_seconds, self.decode_megabytes * 1024**2, self.workers),
        )
        if not report.names:
            raise EmptyDropError(f"drop {drop} holds no picture and no mask: put them into images/ and masks/")
        return quarantine(report) if self.quarantine else report
