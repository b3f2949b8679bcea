"""What a working set-up needs, looked at one by one, each with its remedy."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from wms.settings import Settings, known_names, load_settings
from wms_ml.errors import DeploymentError, NoProductionModelError, WmsError

_GIGABYTE: Final = 1e9
_LEAST_FREE: Final = 5 * _GIGABYTE
_TORCH: Final = "import torch; from wms_ml.network import import_torchvision as i; i(); print(torch.__version__)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        name: what was looked at.
        ok: whether it will do.
        said: what was seen, and the remedy when it will not do.
    """

    name: str
    ok: bool
    said: str


def examine() -> list[Finding]:
    """Look at everything; settings first, since the rest depends on them."""
    try:
        settings = load_settings()
    except WmsError as error:
        return [Finding("settings", False, f"{error}. The settings are: {', '.join(sorted(known_names()))}")]
    return list(_examine(settings))


def _examine(settings: Settings) -> Iterator[Finding]:
    yield Finding("settings", True, f"profile {settings.profile}, home {settings.home}")
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", (3, 11) <= sys.version_info[:2] < (3, 13), f"{version} (3.11 or 3.12 is needed)")
    git = shutil.which("git")
    yield Finding("git", git is not None, git or "not found: install git, the data repository needs it")
    yield _home(settings)
    yield _torch()
    yield _asked("store", lambda: f"{len(list(_parts(settings).store.names()))} drops in {settings.store}")
    yield _asked("data", lambda: _data(settings))
    yield _asked("production model", lambda: _production(settings))
    yield _asked("service", lambda: _service(settings))


def _asked(name: str, question: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, question())
    except WmsError as error:
        return Finding(name, False, str(error))


def _home(settings: Settings) -> Finding:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    said = f"{free / _GIGABYTE:.0f} GB free at {settings.home}"
    enough = free >= _LEAST_FREE
    return Finding("disk", enough, said if enough else f"{said}: make room, or set WMS_HOME to another disk")


def _torch() -> Finding:
    done = subprocess.run([sys.executable, "-c", _TORCH], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        return Finding("torch", False, f"{reason}: run `make install` again")
    return Finding("torch", True, done.stdout.strip())


def _parts(settings: Settings):  # type: ignore[no-untyped-def]
    from wms.definitions import resources

    return resources(settings)


def _data(settings: Settings) -> str:
    parts = _parts(settings)
    return f"{len(parts.inspector.accepted(parts.data_repo))} accepted pairs"


def _production(settings: Settings) -> str:
    try:
        version = _parts(settings).registry.production()
    except NoProductionModelError:
        return "none yet; `wms demo` makes one"
    return f"version {version.version}, trained on data {version.data_version}"


def _service(settings: Settings) -> str:
    from wms_resources.deployment.deployment_status import statuses
    from wms_resources.deployment.standings import standing_words

    where = settings.deploy_environment
    found = next(each for each in statuses(_parts(settings).deployer) if each.environment == where)
    if found.trouble and found.standing.stable:
        raise DeploymentError(found.trouble)
    return f"{standing_words(found.standing)} at {found.url}" if found.url else "not running; `wms deploy` starts it"
