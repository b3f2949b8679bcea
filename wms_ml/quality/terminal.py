"""The report on a terminal: a few lines for each rule, however many findings it has, and the verdict last.

Colours appear on terminals only. File names are shown, never obeyed: no markup, no escape sequence.
"""

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from wms_ml.quality import wording
from wms_ml.quality.report import Finding, Report, Severity
from wms_ml.quality.wording import Group

_SHOWN: Final = 5
_FILES: Final = 3
_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}


def show(report: Report, console: Console) -> None:
    """Write the findings by rule, errors first, then one line that says where the drop stands."""
    goes_on = report.ok
    for group in wording.groups(report):
        _show_group(group, aside=goes_on and group.severity is Severity.ERROR, console=console)
    style = "bold green" if goes_on else "bold red"
    _line(Text.assemble((wording.verdict(report), style), f" ({wording.tally(report)})"), console)


def _show_group(group: Group, aside: bool, console: Console) -> None:
    number = wording.count(len(group.findings), group.severity.value)
    title = (_plain(group.title), f"bold {_STYLES[group.severity]}")
    _line(Text.assemble(title, f"  {number}{', set aside' if aside else ''}"), console)
    for finding in group.findings[:_SHOWN]:
        _line(Text.assemble((_files(finding), "bold"), f": {_plain(finding.message)}"), console, 2)
        if not group.remedy:
            _line(_remedy(finding.remedy), console, 2)
    if len(group.findings) > _SHOWN:
        _line(Text(f"… and {len(group.findings) - _SHOWN:,} more", "dim"), console, 2)
    if group.remedy:
        _line(_remedy(group.remedy), console, 2)
    console.print()


def _files(finding: Finding) -> str:
    paths, more = wording.listed(finding.files, _FILES)
    shown = ", ".join(map(_plain, paths)) or "the drop as a whole"
    return f"{shown} and {more:,} more" if more else shown


def _remedy(words: str) -> Text:
    return Text.assemble(("→ ", "green"), _plain(words))


def _line(text: Text, console: Console, indent: int = 0) -> None:
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent)))
    else:
        # A log keeps one line a sentence, so that file names can be searched for.
        console.print(Text.assemble(" " * indent, text), soft_wrap=True)


def _plain(words: str) -> str:
    return "".join(each if each.isprintable() else "\ufffd" for each in words)
