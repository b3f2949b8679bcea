"""Names that mean the same to people: what tools and desktops add to a name, taken off again.

It only serves to tell people which file they may have meant. No pair is ever made by it.
"""

import re
import unicodedata
from typing import Final

_TAILS: Final = re.compile(
    r"""
      [\s_.-]+ (?: masks? | labels? | seg(?:mentation)? | gt | annotations? | annotated | bin(?:ary)? | json )
    | [\s_-]* \( \s* (?: \d+ | copy ) \s* \)
    | \s+ (?: - \s* )? (?: copy | kopie | copie | копия ) (?: \s* (?: \( \d+ \) | \d+ ) )?
    | [._] (?: jpe?g | png | bmp | tiff? | webp | heic )
    | \.rf\.[0-9a-f]{6,}
    """,
    re.VERBOSE,
)
"""What annotation tools (CVAT, Labelme, Roboflow, Supervisely), Windows and macOS append, as the end of a name."""
_HEADS: Final = re.compile(r"(?: mask | masks | label | labels | seg | gt )[\s_.-]+ | copy\ of\s+", re.VERBOSE)
_ENDS: Final = re.compile(rf"(?:{_TAILS.pattern})$", re.VERBOSE)
_BETWEEN: Final = re.compile(r"[\s_-]+")


def bare(name: str) -> str:
    """`name` without capitals, spaces, and all that tools add: the same for names that may mean the same picture."""
    left = unicodedata.normalize("NFKC", name.casefold()).strip()
    left = _HEADS.sub("", left, count=1) if _HEADS.match(left) else left
    while (shorter := _ENDS.sub("", left)) not in ("", left):
        left = shorter
    return _BETWEEN.sub("_", left)
