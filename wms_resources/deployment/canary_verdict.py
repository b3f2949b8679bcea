"""Whether a canary does as well as the track beside it: by more than chance explains, or not at all.

A release is not refused for one slow picture, nor let through because few people called: who judges is told how many
pictures there were, and `canary_watch` sees to it that there are enough.
"""

from typing import Final

from wms_resources.deployment.canary_figures import Figures

CHANCE: Final = 0.01
"""A difference counts when chance alone would bring it in fewer than one of a hundred watches."""

EARLY_CHANCE: Final = 0.001
"""The same while the watch goes on: it is asked many times then, and has as many chances to be wrong."""

_MOST_FAULTS: Final = 0.05
"""No canary may fail on more of its pictures, however bad the stable track is."""

_SLOWER: Final = 1.5
_SLOWER_SECONDS: Final = 0.05
_QUANTILE: Final = 0.95


def objections(stable: Figures, canary: Figures, least: int, chance: float = CHANCE) -> list[str]:
    """What speaks against the canary, a sentence each; none when it does as well.

    Args:
        stable: what the stable track counted.
        canary: what the canary counted.
        least: pictures that a track must have had before its share of failures, or its speed, is judged by itself.
        chance: probability below which a difference is no accident.
    """
    answered, failed = stable.forwarded("answered"), stable.forwarded("failed")
    found = [
        _faults("it failed on", canary.faults, canary.requests, stable, least, chance),
        _faults("it gave no answer to", failed, answered + failed, stable, least, chance),
        _slowness(stable, canary, least, chance),
    ]
    return [each for each in found if each]


def _faults(what: str, faults: int, requests: int, stable: Figures, least: int, chance: float) -> str:
    """One-sided exact test of two shares (Fisher 1935) against the stable track's, and the limit for any service."""
    if not faults:
        return ""
    from scipy.stats import fisher_exact

    table = [[faults, requests - faults], [stable.faults, stable.answered]]
    too_many = requests >= least and faults / requests > _MOST_FAULTS
    if not too_many and fisher_exact(table, alternative="greater").pvalue >= chance:
        return ""
    return (
        f"{what} {faults} of {requests} pictures ({faults / requests:.1%}); "
        f"the stable track failed on {stable.faults} of {stable.requests}"
    )


def _slowness(stable: Figures, canary: Figures, least: int, chance: float) -> str:
    """Too slow: p95 is over the limit, and too many answers are for an accident (one-sided binomial test)."""
    if min(stable.answered, canary.answered) < least:
        return ""
    theirs, ours = stable.quantile_seconds(_QUANTILE), canary.quantile_seconds(_QUANTILE)
    limit = _SLOWER * theirs + _SLOWER_SECONDS
    if ours <= limit:
        return ""
    from scipy.stats import binomtest

    slow = canary.slower_than(limit)
    if binomtest(slow, canary.answered, 1 - _QUANTILE, alternative="greater").pvalue >= chance:
        return ""
    return (
        f"its p95 is {ours * 1000:.0f} ms, over {limit * 1000:.0f} ms, which is {_SLOWER:g} times the stable track's "
        f"{theirs * 1000:.0f} ms and {_SLOWER_SECONDS * 1000:.0f} ms"
    )
