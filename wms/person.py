"""Who is at the keyboard, for records that people read years later."""

import getpass
import socket

from wms.settings import Settings
from wms_ml.errors import SettingsError


def person(settings: Settings, by: str | None = None) -> str:
    """`by`, else WMS_USER, else login@host.

    Raises:
        SettingsError: the system does not know who this is.
    """
    named = (by or settings.user).strip()
    if named:
        return named
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError, ImportError) as error:
        raise SettingsError("nobody can tell who you are: say it with --by NAME, or set WMS_USER") from error
