"""What the gate lets through: `python benchmarks/gate.py [--scores A.json B.json] [--plot FILE]`.

How often is a challenger promoted that is in truth no better, and how often one that is? Simulated, because nobody
knows of a real model what it is worth in truth. The rules are those of `wms_ml.gate`, the p-value that of
`wms_ml.paired` with fewer flips of signs (199 in place of 9,999, which costs a little power and no honesty).

The model. A picture's Dice is what it allows, plus the model's quality, less a loss of its own for each model:
    Dice[model, picture] = min(1, ceiling[picture] + quality[model] - loss[model, picture]),    IoU = Dice / (2 - Dice)
* `ceiling` is drawn from the Dice that a real model has on pictures (--scores), plus the mean loss.
* `loss` is gamma distributed and independent: most pictures cost little, a few cost much. The difference of two models
  on a picture is then symmetric with heavy tails (variance-gamma). Its scale and shape are fitted to the standard
  deviation and the excess kurtosis of the differences of two real models.
* `quality` is 0 for the champion. For an attempt it is the true gain plus, where seeds differ, a normal draw.

An attempt is chosen as the platform does it: on a validation side as large as the test side, stopping at the first
attempt that beats the champion there in Dice and IoU, else the best by Dice; then the test side is scored once. For
comparison: every attempt judged on the test side itself, promoting if any passes.

Not modelled: a validation side that early stopping has looked at, pictures that resemble each other, a champion that
was itself chosen on the same test side, and real pictures that are of other kinds than those tested.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from wms_ml.gate import PLAIN, Rule
from wms_ml.paired import gain_p_values
from wms_ml.scoring import ScoreTable

SIZES: Final = (50, 100, 200, 500, 1000)
GAINS: Final = (0.005, 0.01, 0.02)
RULES: Final = {"plain": PLAIN, "0.95 blocking": Rule(confidence=0.95, confidence_policy="block")}
FLIPS: Final = 199
CHUNK: Final = 100
"""Simulations at a time: memory stays small."""
SPREAD, KURTOSIS, SEEDS = 0.03, 12.0, 0.003
"""Without --scores: standard deviation and excess kurtosis of two equal trainings' differences, Dice. Without --seeds:
standard deviation between trainings that differ in their seed alone, Dice."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """What pictures and models are like.

    Attributes:
        ceilings: what pictures allow, Dice, float64 (real pictures,).
        shape: of the loss; the differences' excess kurtosis is 3 / shape.
        scale: of the loss, Dice.
        seeds: standard deviation of quality between attempts, Dice.
    """

    ceilings: Array
    shape: float
    scale: float
    seeds: float

    def scores(self, random: np.random.Generator, quality: Array, pictures: int) -> Array:
        """Dice of models on the same new pictures, float64 (runs, models, pictures); `quality` is (runs, models)."""
        ceiling = random.choice(self.ceilings, (len(quality), 1, pictures))
        loss = random.gamma(self.shape, self.scale, (*quality.shape, pictures))
        return np.clip(ceiling + quality[..., None] - loss, 0, 1)


def world(dice: Array, spread: float, kurtosis: float, seeds: float) -> World:
    """Pictures as a real model found them, and losses whose differences have this spread and excess kurtosis."""
    shape = 3 / kurtosis
    scale = spread / np.sqrt(2 * shape)
    return World(np.minimum(dice + shape * scale, 1), shape, scale, seeds)


def typical() -> Array:
    """Dice as a U-Net has it on the public Water Meters Dataset: mean 0.931, standard deviation 0.032."""
    return np.clip(0.98 - np.random.default_rng(0).gamma(2.4, 0.0205, 10_000), 0, 1)


def fitted(paths: Sequence[Path], seeds: float) -> World:
    """The world of two real models on the same pictures; how much better one is does not matter.

    Raises:
        DataError: one is no score table.
    """
    import scipy.stats

    ours, theirs = (np.array(ScoreTable.parse(path.read_text()).column("dice")) for path in paths)
    heavy = float(scipy.stats.kurtosis(ours - theirs))
    return world(ours, float((ours - theirs).std(ddof=1)), max(heavy, 0.1), seeds)


@dataclass(frozen=True, slots=True)
class Rates:
    """Promotions in 100 runs, by the name of a rule.

    Attributes:
        one: with one attempt.
        three: with three, chosen on validation.
        picked: with three, each judged on the test side.
        mistaken: of `three`, those of a model that is in truth not better.
    """

    one: dict[str, float]
    three: dict[str, float]
    picked: dict[str, float]
    mistaken: dict[str, float]


def simulate(world: World, gain: float, pictures: int, runs: int) -> Rates:
    """Promotion rates with test and validation sides of so many pictures."""
    random = np.random.default_rng([pictures, round(gain * 1e6), round(world.seeds * 1e6)])
    shares = np.mean([outcomes(world, random, gain, pictures) for _ in range(-(-runs // CHUNK))], axis=0)
    return Rates(*(dict(zip(RULES, (100 * way).tolist(), strict=True)) for way in shares.T))


def outcomes(world: World, random: np.random.Generator, gain: float, pictures: int) -> Array:
    """Share of `CHUNK` runs that promote: float64 (rules, ways as in `Rates`)."""
    quality = np.zeros((CHUNK, 4))
    quality[:, 1:] = gain + world.seeds * random.standard_normal((CHUNK, 3))
    chosen = choice(differences(world.scores(random, quality, pictures)))
    test = differences(world.scores(random, quality, pictures))
    every = np.arange(CHUNK)
    no_better = quality[every, 1 + chosen] <= 0
    shares = []
    for rule in RULES.values():
        passed = np.array([passes(rule, test[:, :, attempt]) for attempt in range(3)])
        three = passed[chosen, every]
        shares.append([each.mean() for each in (passed[0], three, passed.max(0), three & no_better)])
    return np.array(shares)


def differences(dice: Array) -> Array:
    """Attempts less the champion, which is model 0: float64 (metrics, runs, attempts, pictures)."""
    both = np.stack([dice, dice / (2 - dice)])
    return both[:, :, 1:] - both[:, :, :1]


def choice(validation: Array) -> NDArray[np.int64]:
    """The attempt that each run chooses: the first that beats the champion, else the best by Dice."""
    means = validation.mean(-1)
    beats = (means > 0).all(0)
    return np.where(beats.any(1), beats.argmax(1), means[0].argmax(1))


def passes(rule: Rule, test: Array) -> NDArray[np.bool_]:
    """Whether the gate promotes each run, from its differences (metrics, runs, pictures)."""
    promoted: NDArray[np.bool_] = np.vectorize(rule.is_gain, otypes=[np.bool_])(test.mean(-1)).all(axis=0)
    if rule.confidence_policy == "block":
        for metric in test:  # the p-value costs most: only where it decides
            asked = np.flatnonzero(promoted)
            if len(asked):
                promoted[asked] = [rule.is_sure(float(each)) for each in gain_p_values(metric[asked], FLIPS)]
    return promoted


Found = Mapping[int, Rates]
"""Rates by the number of test pictures."""


def table(head: Sequence[str], rows: Mapping[int, Sequence[str]]) -> str:
    """A Markdown table, a row a test size."""
    lines = [("test pictures", *head), ["---:"] * (len(head) + 1)]
    lines += [(str(size), *cells) for size, cells in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_rule(found: Rates, *ways: str) -> list[str]:
    """Rates of some ways of choosing, rule by rule."""
    return [f"{getattr(found, way)[rule]:.0f}" for rule in RULES for way in ways]


def draw(none: Found, gains: Mapping[float, Found], path: Path) -> None:
    """False promotions on the left, true ones on the right, over the number of test pictures."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    false, true = figure.subplots(1, 2, sharey=True)
    ways = {"picked": "3, judged on test", "three": "3, by validation", "one": "1 attempt"}
    for (way, label), colour in zip(ways.items(), ("#d55e00", "#0072b2", "#666666"), strict=True):
        lines(false, label, colour, none, way)
    for (gain, found), colour in zip(gains.items(), ("#cc79a7", "#009e73", "#000000"), strict=True):
        lines(true, f"+{gain:g}", colour, found, "three")
    false.set(title="no true gain: promoted all the same", ylabel="promoted in 100 runs")
    true.set(title="a true gain in Dice: promoted, 3 attempts")
    for axes in (false, true):
        axes.set(xscale="log", xlabel="test pictures", ylim=(0, 102), xticks=SIZES, xticklabels=SIZES)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=7, ncols=2, loc="upper left" if axes is false else "lower right")
    figure.savefig(path, dpi=90)


def lines(axes: Any, label: str, colour: str, found: Found, way: str) -> None:
    """One way of choosing under both rules."""
    for rule, style in zip(RULES, ("-", "--"), strict=True):
        rates = [getattr(each, way)[rule] for each in found.values()]
        axes.plot(list(found), rates, style, marker="o", markersize=3, color=colour, label=f"{label}: {rule}")


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=Path, nargs=2, metavar="FILE", help="two models' tables of wms_ml.evaluation")
    parser.add_argument("--seeds", type=float, default=SEEDS, help="standard deviation between seeds, Dice")
    parser.add_argument("--runs", type=int, default=1000, help="simulated runs a cell")
    parser.add_argument("--plot", type=Path, help="PNG file")
    given = parser.parse_args()

    real = fitted(given.scores, given.seeds) if given.scores else world(typical(), SPREAD, KURTOSIS, given.seeds)

    def rates(place: World, gain: float) -> Found:
        return {size: simulate(place, gain, size, given.runs) for size in SIZES}

    none, equal = rates(replace(real, seeds=0), 0), rates(real, 0)
    gains = {gain: rates(real, gain) for gain in GAINS}
    report(real, none, equal, gains)
    if given.plot:
        draw(none, gains, given.plot)


def report(world: World, none: Found, equal: Found, gains: Mapping[float, Found]) -> None:
    """Print the tables."""
    spread, kurtosis = np.sqrt(2 * world.shape) * world.scale, 3 / world.shape
    print(f"Differences: standard deviation {spread:.3f}, excess kurtosis {kurtosis:.0f}; seeds: {world.seeds:g}\n")
    ways = ("1 attempt", "3 attempts", "3, judged on test")
    print("No true gain, promoted in 100 runs:\n")
    heads = [f"{rule}: {way}" for rule in RULES for way in ways]
    print(table(heads, {size: by_rule(each, "one", "three", "picked") for size, each in none.items()}))
    print("\nEqual trainings but for the seed, 3 attempts, promoted in 100 runs:\n")
    heads = [f"{rule}: {what}" for rule in RULES for what in ("promoted", "in truth no better")]
    print(table(heads, {size: by_rule(each, "three", "mistaken") for size, each in equal.items()}))
    print("\nA true gain, promoted in 100 runs with 1 attempt / with 3:\n")
    heads = [f"+{gain:g}, {rule}" for gain in gains for rule in RULES]
    found = {size: [(each[size], rule) for each in gains.values() for rule in RULES] for size in SIZES}
    both = {size: [f"{each.one[rule]:.0f} / {each.three[rule]:.0f}" for each, rule in found[size]] for size in SIZES}
    print(table(heads, both))


if __name__ == "__main__":
    main()
