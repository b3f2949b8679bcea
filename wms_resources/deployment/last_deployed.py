"""What was deployed last with success, a file an environment: what a rollout goes back to after a killed one."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wms_ml.errors import DeploymentError
from wms_ml.files import write_whole
from wms_resources.deployment.targets import Package


@dataclass(frozen=True, slots=True)
class LastDeployed:
    """The notes of a set-up, below `folder`."""

    folder: Path

    def read(self, environment: str) -> Package | None:
        """The package; None when nothing was deployed from here yet.

        Raises:
            DeploymentError: the note is damaged.
        """
        path = self._path(environment)
        if not path.exists():
            return None
        try:
            return Package(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise DeploymentError(f"{path} is damaged ({error}): remove it") from error

    def write(self, environment: str, package: Package) -> None:
        """Note what has proved itself there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(environment), json.dumps(asdict(package), indent=1))

    def _path(self, environment: str) -> Path:
        return self.folder / f"{environment}.json"
