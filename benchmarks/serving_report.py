"""What the measurements of the serving benchmark say: medians over rounds, and the tables that show them.

Ratios are medians too, of those within each round: a machine that is slower for a minute is so for both sides.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.serving_load import Result


@dataclass(frozen=True)
class Figures:
    """One measurement, or the medians of several.

    Attributes:
        asked: requests sent a second.
        rate: pictures answered a second.
        p50: median latency of those answered, milliseconds.
        p99: 99th percentile of it.
        cpu: the server's processor time for each, milliseconds.
        client: processor time of the load, share of one core.
        admitted: share of the requests that were answered (200).
        refused: share that was turned away (503).
        failed: share that got anything else, or nothing.
        count: requests, of all measurements together.
    """

    asked: float
    rate: float
    p50: float
    p99: float
    cpu: float
    client: float
    admitted: float
    refused: float
    failed: float
    count: int


def figures(result: Result) -> Figures:
    """One measurement's."""
    good = sorted(latency for latency, status in result.answers if status == 200)
    count = len(result.answers)
    refused = sum(status == 503 for _, status in result.answers)
    return Figures(
        asked=count / result.seconds,
        rate=len(good) / result.seconds,
        p50=_quantile(good, 0.5),
        p99=_quantile(good, 0.99),
        cpu=result.server_cpu * 1000 / max(1, len(good)),
        client=result.client_cpu / result.seconds,
        admitted=len(good) / max(1, count),
        refused=refused / max(1, count),
        failed=(count - len(good) - refused) / max(1, count),
        count=count,
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; NaN of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    columns = {name: [getattr(each, name) for each in rounds] for name in asdict(rounds[0])}
    return Figures(**{name: sum(all_) if name == "count" else median(all_) for name, all_ in columns.items()})


def ratio(rounds: Sequence[Figures], others: Sequence[Figures], name: str) -> float:
    """The median of one figure's ratios, round by round; NaN where there was nothing to divide by."""
    pairs = [(getattr(one, name), getattr(other, name)) for one, other in zip(rounds, others, strict=True)]
    return median(one / other if other else float("nan") for one, other in pairs)


Measured = dict[str, dict[str, list[Figures]]]
"""By section (`closed`, `open`, `bare`, `load`) and by row, the figures of every round."""


def report(measured: Measured) -> str:
    """Every table, as Markdown."""
    return "\n\n".join((_closed(measured), _open(measured), _bare(measured), _load(measured)))


def _closed(measured: Measured) -> str:
    rows = measured["closed"]
    ours = next(iter(rows.values()))
    head = ("closed loop", "pictures/s", "range", "this service is", "p50 ms", "p99 ms", "CPU ms each", "times our CPU")
    lines = []
    for name, rounds in rows.items():
        each, rates = middle(rounds), [one.rate for one in rounds]
        if each.failed + each.refused:
            name = f"{name} ({each.failed + each.refused:.1%} failed)"
        extent = f"{min(rates):.1f} to {max(rates):.1f}"
        faster = f"{ratio(ours, rounds, 'rate'):.2f} times as fast"
        cpu = (f"{each.cpu:.0f}", f"{ratio(rounds, ours, 'cpu'):.2f}")
        lines.append((name, f"{each.rate:.1f}", extent, faster, f"{each.p50:.0f}", f"{each.p99:.0f}", *cpu))
    return table(head, lines)


def _open(measured: Measured) -> str:
    rows = measured["open"]
    ours = next(iter(rows.values()))
    head = ("open loop, the same for all", "asked/s", "p50 ms", "p99 ms", "times our p50", "times our p99", "failed")
    lines = []
    for name, rounds in rows.items():
        each = middle(rounds)
        ratios = tuple(f"{ratio(rounds, ours, name):.2f}" for name in ("p50", "p99"))
        lost = f"{each.failed + each.refused:.1%}"
        lines.append((name, f"{each.asked:.1f}", f"{each.p50:.0f}", f"{each.p99:.0f}", *ratios, lost))
    return table(head, lines)


def _bare(measured: Measured) -> str:
    busy, lone = measured["bare"]["full"], measured["bare"]["single"]
    service, alone = next(iter(measured["closed"].values())), measured["load"]["unloaded"]
    rows = [
        ("all cores busy, pictures/s", *_pair(busy, service, "rate"), f"{ratio(busy, service, 'rate') - 1:+.1%}"),
        ("all cores busy, CPU ms each", *_pair(busy, service, "cpu"), f"{ratio(service, busy, 'cpu') - 1:+.1%}"),
        ("one at a time, p50 ms", *_pair(lone, alone, "p50"), f"{ratio(alone, lone, 'p50') - 1:+.1%}"),
    ]
    return table(("this service above its bare runtime", "bare", "service", "overhead"), rows)


def _pair(bare: Sequence[Figures], service: Sequence[Figures], name: str) -> tuple[str, str]:
    return f"{getattr(middle(bare), name):.1f}", f"{getattr(middle(service), name):.1f}"


def _load(measured: Measured) -> str:
    rows = measured["load"]
    head = ("this service under load", "asked/s", "answered", "503", "failed", "p50 ms", "p99 ms", "times unloaded p99")
    lines = []
    for name, rounds in rows.items():
        each = middle(rounds)
        shares = tuple(f"{share:.1%}" for share in (each.admitted, each.refused, each.failed))
        times = f"{ratio(rounds, rows['unloaded'], 'p99'):.2f}"
        lines.append((name, f"{each.asked:.1f}", *shares, f"{each.p50:.0f}", f"{each.p99:.0f}", times))
    return table(head, lines)


def as_json(measured: Measured) -> dict[str, Any]:
    """Everything, medians beside the rounds they are of."""
    return {
        section: {
            name: {"median": asdict(middle(rounds)), "rounds": [asdict(one) for one in rounds]}
            for name, rounds in rows.items()
        }
        for section, rows in measured.items()
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    lines = (head, ["-" * width for width in widths], *rows)
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines
    )
