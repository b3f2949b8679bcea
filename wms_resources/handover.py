"""What assets hand to each other: small values as JSON, one file a run.

Dagster's default keeps one value per asset, so two runs in flight would read each other's. Here a run reads
what it wrote itself, a retry what its parent wrote, and a run that starts further down the chain the newest
that was finished.
"""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel

from wms_ml.errors import DataError
from wms_ml.files import write_whole


class Handover(dg.ConfigurableIOManager):
    """Keeps pydantic models below `folder`.

    Attributes:
        folder: where the values lie.
    """

    folder: str

    def handle_output(self, context: dg.OutputContext, obj: BaseModel) -> None:
        """Write an asset's value, for its run and as the newest."""
        folder = self._folder(context.asset_key)
        folder.mkdir(parents=True, exist_ok=True)
        for name in (context.run_id, "newest"):
            write_whole(folder / f"{name}.json", obj.model_dump_json(indent=1))

    def load_input(self, context: dg.InputContext) -> Any:
        """Read an upstream asset's value.

        Raises:
            DataError: it has never been materialized.
        """
        folder = self._folder(context.asset_key)
        run = context.step_context.dagster_run
        names = [name for name in (run.run_id, run.parent_run_id, run.root_run_id, "newest") if name]
        path = next((folder / f"{name}.json" for name in names if (folder / f"{name}.json").exists()), None)
        if path is None:
            raise DataError(
                f"{context.asset_key.to_user_string()} has not been materialized yet: run drop_to_deployment"
            )
        kind = context.dagster_type.typing_type
        return kind.model_validate_json(path.read_text())

    def _folder(self, key: dg.AssetKey) -> Path:
        return Path(self.folder) / "-".join(key.path)
