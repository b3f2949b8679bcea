"""One deployment at a time to a service of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from wms_ml.errors import DeploymentError
from wms_ml.files import write_whole
from wms_resources.process import ProcessName, this_process


@contextmanager
def deployment_lock(folder: Path) -> Iterator[None]:
    """Hold the service in `folder`. The system takes the lock back from a process that dies, however it does.

    Raises:
        DeploymentError: another deployment runs; the message says whose. Or the folder cannot be written to.
    """
    lock = _acquired(folder, folder / "deploying.json")
    try:
        yield
    finally:
        lock.release()


def _acquired(folder: Path, holder: Path) -> FileLock:
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        write_whole(holder, this_process().encode())
    except Timeout:
        raise DeploymentError(
            f"another deployment to {folder} runs ({_who(holder)}): wait for its end, or end it, then deploy again"
        ) from None
    except OSError as error:
        lock.release()
        raise DeploymentError(f"{folder} cannot be written to ({error}): make room, or set WMS_HOME") from error
    return lock


def _who(holder: Path) -> str:
    name = ProcessName.decode(holder.read_text() if holder.exists() else "")
    if name is None:
        return "it has just begun"
    return f"process {name.pid} on {name.host}, begun {datetime.fromtimestamp(name.started):%Y-%m-%d %H:%M:%S}"
