"""Files of MLflow runs, fetched once and kept by their content: what does not have the hash it must have is refused."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wms_ml.errors import RegistryError
from wms_ml.files import sha256_of, whole

if TYPE_CHECKING:
    from mlflow import MlflowClient


def fetch_file(client: "MlflowClient", run_id: str, path: str, digest: str, downloads: Path) -> Path:
    """An artifact of a run, from the local copies below `downloads` or from MLflow.

    Args:
        digest: its content hash, `sha256:...`.

    Raises:
        RegistryError: what MLflow has is another file.
    """
    wanted = digest.removeprefix("sha256:")
    target = downloads / wanted / Path(path).name
    if target.exists() and sha256_of(target) == wanted:
        return target
    with tempfile.TemporaryDirectory() as scratch:
        fetched = Path(client.download_artifacts(run_id, path, scratch))
        if sha256_of(fetched) != wanted:
            raise RegistryError(
                f"{path} of MLflow run {run_id} is not the one that was registered ({digest}): "
                "restore it, or train again"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as part:
            shutil.copyfile(fetched, part)
    return target
