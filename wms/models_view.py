"""Model versions in front of people: as JSON values, and as tables on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from wms.score_view import grouped, show, table
from wms_ml.gate import Rule, Verdict, judge
from wms_ml.gate_report import slice_cells
from wms_ml.score_report import METRICS, Cells, as_json, counts
from wms_resources.model_facts import Kept, lineage, recipe
from wms_resources.model_list import Listed
from wms_resources.production_records import PromotionRecord

if TYPE_CHECKING:
    from mlflow.entities import Run

    from wms.model_comparison import Comparison

_MOVE: Final = ("time", "action", "version", "replaced", "by", "reason")
"""What is shown of a line of the history."""
_TITLES: Final = {metric.name: metric.title for metric in METRICS}


def told(found: Listed, history: Sequence[PromotionRecord]) -> dict[str, Any]:
    """A version in a few JSON values."""
    model = found.model
    return {
        "version": model.version,
        "aliases": list(found.aliases),
        "dice": model.metrics.get("dice"),
        "iou": model.metrics.get("iou"),
        "data_version": model.data_version,
        "trained_at": found.made_at,
        "architecture": model.tags.get("architecture"),
        "encoder": model.tags.get("encoder"),
        "was_in_production": any(model.version == each.version for each in history),
        "digest": model.digest,
        "run_id": model.run_id,
    }


def print_list(found: Sequence[Mapping[str, Any]]) -> None:
    """A line a version."""
    head = ("version", "aliases", "Dice", "IoU", "data version", "trained, UTC", "network", "was in production")
    rows = [
        (
            each["version"],
            ", ".join(each["aliases"]),
            _figure(each["dice"]),
            _figure(each["iou"]),
            each["data_version"],
            each["trained_at"].replace("T", " ")[:16],
            "/".join(filter(None, (each["architecture"], each["encoder"]))),
            "yes" if each["was_in_production"] else "",
        )
        for each in found
    ]
    _print_plain([head, *rows])


def everything(found: Listed, run: "Run", history: Sequence[PromotionRecord], kept: Sequence[Kept]) -> dict[str, Any]:
    """All that is known of a version, as JSON values."""
    model = found.model
    return {
        **told(found, history),
        "lineage": lineage(model, run),
        "recipe": recipe(model, run),
        "history": [asdict(each) for each in history if model.version in (each.version, each.replaced)],
        "evidence": [_evidence(each) for each in kept],
    }


def _evidence(kept: Kept) -> dict[str, Any]:
    about: dict[str, Any] = {"data_version": kept.data_version, "against": kept.champion, "problem": kept.problem}
    if kept.evidence is None:
        return about
    theirs = kept.evidence.champion_scores
    return {
        **about,
        "verdict": kept.evidence.verdict,
        "attempts": [asdict(each) for each in kept.evidence.attempts],
        "scores": as_json(kept.evidence.challenger_scores),
        "scores_against": as_json(theirs) if theirs else None,
    }


def print_everything(about: Mapping[str, Any], kept: Sequence[Kept], rule: Rule) -> None:
    """A version on a terminal: what it is, its time in production, its scores and what the gate says of them."""
    console = Console()
    carried = f" ({', '.join(about['aliases'])})" if about["aliases"] else ""
    console.print(Text(f"version {about['version']}{carried}", "bold"))
    facts = {"trained, UTC": about["trained_at"], **about["lineage"], **about["recipe"]}
    _print_plain([(name.replace("_", " "), str(value) or "-") for name, value in facts.items()])
    if about["history"]:
        _heading(console, "in production")
        head = ("time", "what", "version", "replaced", "by", "reason")
        moves = [tuple(str(each[part]) for part in _MOVE) for each in about["history"]]
        _print_plain([head, *moves])
    for each in kept:
        _print_kept(console, each, rule)


def _print_kept(console: Console, kept: Kept, rule: Rule) -> None:
    against = f"version {kept.champion}" if kept.champion else "nothing in production"
    _heading(console, f"judged on data {kept.data_version} against {against}")
    if kept.evidence is None:
        console.print(Text(kept.problem))
        return
    ours, theirs = kept.evidence.challenger_scores, kept.evidence.champion_scores
    show(f"version {kept.evidence.version}", ours, console)
    _print_verdict(console, judge(ours, theirs, rule), ("this version", against))


def print_comparison(outcome: "Comparison") -> None:
    """Two versions on a terminal."""
    console = Console()
    ours, theirs = (f"version {each.version}" for each in outcome.versions)
    source = "the gate's evidence" if outcome.kept else "scored now"
    where = f"{counts(outcome.scores[0])} of data set {outcome.scores[0].data_version}"
    console.print(Text(f"{ours} beside {theirs} on {where} ({source})", "bold"))
    _print_verdict(console, outcome.verdict, (ours, theirs))
    console.print(table(grouped(_slices(outcome.verdict, *(f"v{each.version}" for each in outcome.versions)))))


def _slices(verdict: Verdict, ours: str, theirs: str) -> Cells:
    """Slices that have pictures, narrow enough for 80 columns; floors, the last column, only where one is set."""
    (_, pictures, _, _, *rest), *rows = slice_cells(verdict)
    end = None if verdict.rule.slice_floors else -1
    cells: Cells = [("by", "slice", pictures, ours, theirs, *rest[:end])]
    for label, count, *figures in rows:
        measure, _, name = label.partition(": ")
        cells += [(measure, name, count, *figures[:end])] if count != "0" else []
    return cells


def _print_verdict(console: Console, verdict: Verdict, names: tuple[str, str]) -> None:
    cells: Cells = [("metric", *names, "difference", "95 % interval", "p")]
    cells += [(_TITLES[name], *each.cells) for name, each in verdict.metrics.items()]
    console.print(table(cells))
    word = "promote" if verdict.improved else "refuse"
    console.print(Text(f"the gate would say {word}: {verdict.reason}"))
    for warning in verdict.warnings:
        console.print(Text(f"warning: {warning}"))


def _heading(console: Console, words: str) -> None:
    console.print()
    console.print(Text(words, "bold"))


def _print_plain(rows: Iterable[tuple[str, ...]]) -> None:
    """Columns as wide as they must be, however narrow the terminal: hashes are copied from here."""
    import typer

    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
