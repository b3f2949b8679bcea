"""What the drop sensor remembers between ticks: a hint that saves listing, never the truth.

Lost, damaged or outdated, it costs a look at drops that were looked at before; that each runs once is decided by
Dagster's runs alone. Its size is bounded.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ValidationError

_SEEN: Final = 800
_WAITING: Final = 50
_OVERLAP: Final = timedelta(days=1)
"""How far behind the newest id a tick still lists: clocks differ, and uploads take time."""
_FORM: Final = re.compile(r"\d{8}-\d{6}", re.ASCII)


class Horizon(BaseModel, frozen=True):
    """Where looking begins.

    Attributes:
        floor: ids by time up to here are left to the sweep.
        seen: ids behind it that were looked at and are done with.
        waiting: ids that were not ready.
        reconciled: when a sweep, a look through everything, last ended; seconds since the epoch.
        sweep: how far the sweep under way has come; None when there is none.
    """

    floor: str = ""
    seen: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    reconciled: float = 0.0
    sweep: str | None = None

    @classmethod
    def read(cls, cursor: str | None) -> "Horizon":
        """From the sensor's cursor; a new one when it is none of ours."""
        try:
            return cls.model_validate_json(cursor or "{}")
        except ValidationError:
            return cls()

    def after(self, done: Iterable[str], waiting: Iterable[str]) -> "Horizon":
        """With these ids looked at."""
        late = dict.fromkeys(waiting)
        seen = [name for name in dict.fromkeys([*self.seen, *done]) if name not in late]
        timed = sorted(name for name in seen if is_time(name))
        floor = max([self.floor, *(_before(name) for name in timed[-1:]), *timed[:-_SEEN][-1:]])
        named = [name for name in seen if not is_time(name)][-_SEEN:]
        return self.model_copy(
            update={
                "floor": floor,
                "seen": tuple(name for name in [*named, *timed] if name > floor),
                "waiting": tuple(sorted(late)[-_WAITING:]),
            }
        )


def is_time(name: str) -> bool:
    """Whether an id has the form that `wms drop` gives it, and is not from the future."""
    moment = _moment(name)
    return moment is not None and moment < datetime.now(UTC).replace(tzinfo=None) + _OVERLAP


def _moment(name: str) -> datetime | None:
    if not _FORM.fullmatch(name):
        return None
    try:
        return datetime.fromisoformat(name.replace("-", "T"))
    except ValueError:
        return None


def _before(name: str) -> str:
    moment = _moment(name)
    return f"{moment - _OVERLAP:%Y%m%d-%H%M%S}" if moment and moment.year > 1000 else ""
