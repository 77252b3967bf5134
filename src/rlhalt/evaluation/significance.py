"""Whether a difference between two models on the same prompts is more than chance, and what could have been seen.

The bootstrap says how large a difference is. A rank test asks of each prompt only which model did better, and on which
prompts by more than on others, so that no single one decides it. Many comparisons find something by chance: only the
few that were planned are tested (`rlhalt.evaluation.design`), and Holm's correction keeps the probability of any false
finding among them at 5 %. A difference is said to be *shown* by one rule, `Significance.shows`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from rlhalt.evaluation.bootstrap import LEVEL, Estimate, Floats

ALPHA = 0.05
# With fewer prompts that differ, no signs of them have a two-sided p below 0.05.
FEWEST = 6
POWER = 0.8
# Up to so many prompts that differ, the distribution of the ranks is counted out; beyond, it is taken for normal.
EXACT_UP_TO = 100


@dataclasses.dataclass(frozen=True)
class Significance:
    """What is known about one difference.

    Attributes:
        n_prompts: prompts on which both models have a value.
        planned: whether it was planned and is tested.
        p: of the Wilcoxon signed-rank test, two-sided; None where it is not tested, or there is no such prompt.
        p_holm: the same, corrected for all planned comparisons.
        detectable: the smallest true difference that so many prompts find with a probability of 80 %, in the unit of
            the difference; None where nothing can be resampled.
    """

    n_prompts: int
    planned: bool
    p: float | None
    p_holm: float | None
    detectable: float | None

    @property
    def enough(self) -> bool:
        """Whether there are prompts enough for the test to find anything at all."""
        return self.n_prompts >= FEWEST

    def shows(self, gain: Estimate) -> bool:
        """Whether the difference is shown: it was planned, p_holm is below 0.05, and its interval leaves out 0.

        The test asks on how many prompts a model does better, the interval by how much on the whole, over prompts and
        seeds. Where they disagree, nothing is shown.
        """
        return self.p_holm is not None and self.p_holm < ALPHA and gain.includes_zero is False

    def disagrees(self, gain: Estimate) -> bool:
        """Whether the interval and the test disagree: one of them alone leaves out 0."""
        if self.p_holm is None or gain.includes_zero is None:
            return False
        return (self.p_holm < ALPHA) == gain.includes_zero


def wilcoxon(differences: Floats) -> float | None:
    """Two-sided p of the signed-rank test that paired differences lie symmetrically around 0.

    Wilcoxon 1945: differences of 0 are dropped, equal ones share their mean rank. Given the ranks, every sign is as
    likely as the other; the exact distribution of the sum follows, ties and all.

    Args:
        differences: one a prompt; those that are NaN are left out.

    Returns:
        1 where no prompt differs; None where no prompt has a value.

    >>> wilcoxon(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    0.0625
    """
    known = differences[np.isfinite(differences)]
    if not known.size:
        return None
    # Means of a few halves and thirds: what is equal must be equal after rounding too.
    moved = np.round(known, 12)
    moved = moved[moved != 0]
    size = np.abs(moved)
    order = np.sort(size)
    # Twice the mean rank is a whole number.
    ranks = np.searchsorted(order, size, side="left") + np.searchsorted(order, size, side="right") + 1
    above = int(ranks[moved > 0].sum())
    return _exact(ranks, above) if len(ranks) <= EXACT_UP_TO else _normal(ranks, above)


def _exact(ranks: np.typing.NDArray[np.intp], above: int) -> float:
    chance = np.zeros(int(ranks.sum()) + 1)
    chance[0] = 1
    for rank in ranks:
        chance[rank:] = (chance[rank:] + chance[:-rank]) / 2
        chance[:rank] /= 2
    return min(1.0, 2 * float(min(chance[: above + 1].sum(), chance[above:].sum())))


def _normal(ranks: np.typing.NDArray[np.intp], above: int) -> float:
    # Each rank is in the sum or not, with probability ½: ties need no correction of their own.
    distance = abs(above - ranks.sum() / 2) / math.sqrt(float((ranks.astype(np.float64) ** 2).sum()) / 4)
    return 2 * NormalDist().cdf(-distance)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p-values corrected so that the probability of any false one among them stays below the level (Holm 1979).

    The i-th smallest of m is multiplied by m - i + 1 and is no smaller than those before it; at most 1. None stays None
    and is not counted.

    >>> [None if p is None else round(p, 3) for p in holm([0.01, None, 0.04, 0.03])]
    [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    largest = 0.0
    for place, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - place) * p))
        corrected[i] = largest
    return corrected


def detectable(draws: Floats) -> float | None:
    """The smallest true difference that a two-sided test at 5 % finds with 80 % probability: 2.80 standard errors.

    (z_{0.975} + z_{0.8}) · SE (Cohen 1988, for the normal case), SE the standard deviation of the resamples. It is
    about this many prompts of this kind, uncorrected for several comparisons.

    Args:
        draws: of the difference, see `bootstrap`.

    Returns:
        In the unit of the difference; None with fewer than two resamples in which it is defined.
    """
    resampled = draws[1:][np.isfinite(draws[1:])]
    if len(resampled) < 2:
        return None
    normal = NormalDist()
    return float((normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)) * resampled.std(ddof=1))
