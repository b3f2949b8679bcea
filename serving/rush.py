"""A burst or a rush: a queue evens out the one, and makes everybody late in the other.

Pictures come by chance, so at half of what a service can do two or three often come together; they had better wait a
moment than be turned away. When more come than can be answered, the queue is always full and whoever is let in waits
for all of it. Then only those may wait whose turn is near.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

_LOOKED_AT: Final = 4
"""Pictures for each place at work whose time the arrivals are counted over: in a shorter one a burst looks like a rush,
in a longer one the queue is full before a rush is noticed."""

_TOO_MANY: Final = 6
"""Pictures for each place at work that make a rush when they come in that time. Half as many again as can be
answered: callers who ask again as soon as they are answered come as often as is answered, and need not be refused."""

_NEAR: Final = 0.5
"""Share of its usual time that a picture has been at work when the turn after it is near."""

_NEW: Final = 0.3
"""How much the newest picture counts in the usual time: enough to forget the first ones, which are slow."""


class Rush:
    """Arrivals and the time that pictures take, of one service. Times are seconds of one clock that never goes back."""

    def __init__(self, at_work: int) -> None:
        """Know nothing yet, and call nothing a rush.

        Args:
            at_work: pictures at work at once.
        """
        self._usual = 0.0
        self._came: deque[float] = deque(maxlen=_TOO_MANY * at_work + 1)
        self._until = 0.0

    def came(self, now: float) -> None:
        """A picture came, whether it is let in or not."""
        self._came.append(now)
        could_be_answered_in = _LOOKED_AT * self._usual
        if len(self._came) == self._came.maxlen and now - self._came[0] < could_be_answered_in:
            self._until = now + could_be_answered_in

    def worked(self, seconds: float) -> None:
        """A picture was at work for so long."""
        self._usual = (1 - _NEW) * self._usual + _NEW * seconds if self._usual else seconds

    def lets_wait(self, now: float, waiting: int, began: Sequence[float]) -> bool:
        """Whether one more may wait.

        Args:
            now: the time.
            waiting: how many do already.
            began: when the pictures at work began, oldest first.
        """
        if now >= self._until:
            return True
        return waiting < len(began) and now - began[waiting] >= _NEAR * self._usual
