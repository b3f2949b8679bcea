"""The overlays of a folder on one page, least sure first: where to look when there are more than anybody looks at.

A page without script or outside reference that shows the overlays lying beside it. File names are strangers' and are
escaped.
"""

import heapq
from html import escape
from typing import Final
from urllib.parse import quote

from wms_ml.folder_results import Row

PAGE: Final = "index.html"

_SHOWN: Final = 500
"""Pictures on the page, and errors listed: more make a page that nobody can open."""
_HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self'; style-src 'unsafe-inline'">
<title>Reading windows, least sure first</title>
<style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem; color: #1b1b1b; background: #fff }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)) }
figure { margin: 0; overflow-wrap: anywhere } img { width: 100%; height: 15rem; object-fit: contain; background: #eee }
</style></head><body>
"""


class Page:
    """Collects rows and keeps only those that the page will show."""

    def __init__(self) -> None:
        self._counted = self._failures = 0
        self._failed: list[Row] = []
        self._unsure: list[tuple[float, int, Row]] = []

    def add(self, row: Row) -> None:
        """Take a row into account."""
        self._counted += 1
        if row.error:
            self._failures += 1
            self._failed += [row] if len(self._failed) < _SHOWN else []
            return
        entry = (-(row.confidence or 0.0), -self._counted, row)
        (heapq.heappush if len(self._unsure) < _SHOWN else heapq.heappushpop)(self._unsure, entry)

    def html(self) -> str:
        """The page."""
        shown = [row for _, _, row in sorted(self._unsure, reverse=True)]
        good = self._counted - self._failures
        lead = f"<h1>{good} pictures, least sure first</h1>\n"
        if good > len(shown):
            lead += f"<p>These are the {len(shown)} least sure; all are in the tables beside this page.</p>\n"
        return f"{_HEAD}{lead}{self._errors()}<main>\n{''.join(map(_figure, shown))}</main></body></html>\n"

    def _errors(self) -> str:
        if not self._failures:
            return ""
        items = "".join(f"<li><b>{escape(row.picture)}</b>: {escape(row.message)}</li>\n" for row in self._failed)
        return f"<h2>{self._failures} could not be read</h2>\n<ul>\n{items}</ul>\n"


def _figure(row: Row) -> str:
    said = f"{row.confidence:.0%} sure" if row.found else "no window found"
    name = escape(row.picture)
    image = f'<img src="{quote(row.overlay)}" alt="{name}" loading="lazy">' if row.overlay else ""
    crop = f' <a href="{quote(row.crop)}">window</a>' if row.crop else ""
    links = f'<a href="{quote(row.mask)}">mask</a>{crop}'
    return f"<figure>{image}<figcaption>{name}<br>{said}: {links}</figcaption></figure>\n"
