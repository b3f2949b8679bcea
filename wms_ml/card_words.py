"""A model in sentences: what it is, how well it does, and where it is weak, each drawn from its figures."""

from collections.abc import Iterator, Sequence
from typing import Final

from wms_ml.card_facts import CardFacts
from wms_ml.confidence import FEWEST
from wms_ml.gate import judge
from wms_ml.score_report import METRICS, Cells, markdown_table, sentence
from wms_ml.scoring import ScoreTable
from wms_ml.slices import SliceScore

_WEAK: Final = 0.05
"""A slice whose mean Dice is so much below that of all pictures is named as a weakness."""
_MINUTE, _HOUR = 60, 3600


def title(facts: CardFacts) -> str:
    """What the model is called: its name and version."""
    return f"{facts.name}, version {facts.version}"


def network(facts: CardFacts) -> str:
    """Architecture and encoder; empty when they were not recorded."""
    named = [facts.recipe.get(part, "") for part in ("architecture", "encoder")]
    return "{} with encoder {}".format(*named) if all(named) else ""


def summary(facts: CardFacts) -> str:
    """The card in two sentences, as the registry shows it with the version."""
    made = f"Finds the reading window in photographs of water meters. Trained on data set {facts.data_version}"
    if facts.data:
        made += f" ({facts.data.pairs} pairs)"
    said = (
        f"{sentence(facts.scores)} of the {facts.scores.split} side" if facts.scores else "not scored on test pictures"
    )
    return f"{made}; {said}."


def limits(facts: CardFacts) -> list[str]:
    """What to be careful about, most of it read from the scores."""
    general = [
        "It was trained and tested on pictures of the same sources. How it does on another camera, another make of "
        "meter or another utility's pictures is not known until it is measured.",
        "A mistake that all masks share, those it was tested with too, cannot be seen in these figures.",
    ]
    if facts.scores is None:
        return [*general, "It was not scored on test pictures, so nothing is known about where it fails."]
    return [*general, *_found_nothing(facts.scores), *_of_slices(facts.slices, facts.scores.mean("dice"))]


def _found_nothing(scores: ScoreTable) -> Iterator[str]:
    missed = sum(not row.found for row in scores.rows)
    if missed:
        yield f"On {missed} of {len(scores.rows)} test pictures it found nothing."
    if len(scores.rows) < 5 * FEWEST:
        yield f"{len(scores.rows)} test pictures are few: the intervals may be too narrow."


def _of_slices(slices: Sequence[SliceScore], whole: float) -> Iterator[str]:
    """Kinds of pictures that were not tested, hardly tested, or go badly; `whole` is the mean Dice of all pictures."""
    for words, chosen in (
        ("No picture of these kinds was tested", [each for each in slices if not each.pictures]),
        (f"Fewer than {FEWEST} pictures of these kinds were tested", [each for each in slices if _few(each)]),
    ):
        if chosen:
            yield f"{words}: {', '.join(f'{each.measure} {each.name}' for each in chosen)}."
    for each in slices:
        if each.pictures >= FEWEST and each.metrics["dice"].mean < whole - _WEAK:
            mean = each.metrics["dice"].mean
            yield f"Weak on {each.measure} {each.name}: Dice {mean:.3f} against {whole:.3f} on all pictures."


def _few(each: SliceScore) -> bool:
    return 0 < each.pictures < FEWEST


def comparison(facts: CardFacts) -> str:
    """Dice and IoU beside those of the champion, with the paired interval, as a Markdown table; empty without one."""
    if facts.scores is None or facts.champion_scores is None:
        return ""
    rows: Cells = [
        ("metric", f"version {facts.version}", f"version {facts.champion}", "difference", "95 % interval, paired")
    ]
    compared = judge(facts.scores, facts.champion_scores).metrics
    rows += [(metric.title, *compared[metric.name].cells[:-1]) for metric in METRICS[:2]]
    return markdown_table(rows)


def hardware(facts: CardFacts) -> str:
    """The machine of the training, as far as it is known."""
    known = facts.environment
    cards = [known["gpu"]] if known.get("gpu", "none") != "none" else []
    return ", ".join([*cards, *([known["cpu"]] if "cpu" in known else [])]) or "hardware that was not recorded"


def duration(seconds: float) -> str:
    """`47 s`, `12 min`, `3.4 h`."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"
