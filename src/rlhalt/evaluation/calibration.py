"""How well a confidence tells right fragments from wrong ones, and whether it means what it says.

The measures take `Judged` fragments and the weights of `bootstrap`, and give draws. Fragments of one prompt share its
weight, so the intervals are clustered by prompt.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rlhalt.evaluation.bootstrap import Estimate, Floats, divide, estimate

BINS = 15


@dataclasses.dataclass(frozen=True)
class Judged:
    """Decided fragments: how sure the model was, and whether it was right.

    Attributes:
        confidence: in [0, 1].
        correct: 1 for a correct fragment, 0 for an incorrect one.
        prompt: the position of its prompt, a column of the weights.
    """

    confidence: Floats
    correct: Floats
    prompt: npt.NDArray[np.intp]


def judged(confidence: list[float], correct: list[bool], prompt: list[int]) -> Judged:
    """Fragments as arrays; those whose confidence is not a finite number are left out, rounding past 0 or 1 is cut."""
    values = np.asarray(confidence, dtype=np.float64)
    kept = np.isfinite(values)
    return Judged(
        np.clip(values[kept], 0, 1),
        np.asarray(correct, dtype=np.float64)[kept],
        np.asarray(prompt, dtype=np.intp)[kept],
    )


def _sums(values: Floats, fragments: Judged, weights: Floats) -> Floats:
    """Weighted sums over fragments of one value each, through their sums over each prompt."""
    return weights @ np.bincount(fragments.prompt, weights=values, minlength=weights.shape[1])


def brier(fragments: Judged, weights: Floats) -> Floats:
    """Mean of (confidence - correct)² over fragments (Brier 1950); 0 is best, always saying ½ gives 0.25."""
    error = (fragments.confidence - fragments.correct) ** 2
    return divide(_sums(error, fragments, weights), _sums(np.ones_like(error), fragments, weights))


def equal_width(bins: int = BINS) -> Floats:
    """Edges of bins of equal width on [0, 1]."""
    return np.linspace(0, 1, bins + 1)


def equal_mass(confidence: Floats, bins: int = BINS) -> Floats:
    """Edges of bins that hold equally many fragments each, as far as ties allow (Nixon et al., arXiv 1904.01685).

    Resamples keep the edges of the whole sample.
    """
    return np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1))) if confidence.size else equal_width(bins)


def _bin(confidence: Floats, edges: Floats) -> npt.NDArray[np.intp]:
    """The bin of each confidence: lower edge included, upper edge only in the last bin."""
    return np.searchsorted(edges[1:-1], confidence, side="right").astype(np.intp)


def ece(fragments: Judged, weights: Floats, edges: Floats) -> Floats:
    """Expected calibration error: Σ_b n_b/n · |accuracy_b - mean confidence_b| over bins b.

    Guo et al., arXiv 1706.04599. It is biased upwards where bins hold few fragments, and so is its interval.
    """
    which = _bin(fragments.confidence, edges)
    gap, total = np.zeros(len(weights)), _sums(np.ones_like(fragments.confidence), fragments, weights)
    for b in np.unique(which):
        gap += np.abs(_sums((which == b) * (fragments.correct - fragments.confidence), fragments, weights))
    return divide(gap, total)


def _by_confidence(fragments: Judged, weights: Floats, statistic: Callable[[Floats, Floats], Floats]) -> Floats:
    """Draws of a statistic of the weights of right and of wrong fragments at each confidence, most confident first.

    Equal confidences are one column. Resamples are taken in blocks, or the weights of every fragment in every resample
    would not fit into memory.
    """
    if not fragments.confidence.size:
        return np.full(len(weights), np.nan)
    order = np.argsort(-fragments.confidence, kind="stable")
    confidence, correct, prompt = fragments.confidence[order], fragments.correct[order], fragments.prompt[order]
    starts = np.flatnonzero(np.diff(confidence, prepend=np.inf))
    block = max(1, 2_000_000 // confidence.size)
    draws = []
    for first in range(0, len(weights), block):
        weight = weights[first : first + block][:, prompt]
        right = np.add.reduceat(weight * correct, starts, axis=1)
        draws.append(statistic(right, np.add.reduceat(weight, starts, axis=1) - right))
    return np.concatenate(draws)


def auroc(fragments: Judged, weights: Floats) -> Floats:
    """Probability that a correct fragment is more confident than an incorrect one, ties counting half.

    Hanley & McNeil 1982. Not defined where all fragments are right or all are wrong.
    """

    def statistic(right: Floats, wrong: Floats) -> Floats:
        n_right, n_wrong = right.sum(axis=1), wrong.sum(axis=1)
        less_confident = n_wrong[:, None] - wrong.cumsum(axis=1)
        return divide((right * (less_confident + wrong / 2)).sum(axis=1), n_right * n_wrong)

    return _by_confidence(fragments, weights, statistic)


def aurc(fragments: Judged, weights: Floats) -> Floats:
    """Area under the risk–coverage curve: the mean over fragments of the wrong share among those at least as confident.

    0 is best; a confidence that tells nothing gives about the overall error (Geifman et al., arXiv 1805.08206).
    Fragments of equal confidence enter together, so the order of the file does not matter.
    """

    def statistic(right: Floats, wrong: Floats) -> Floats:
        both = right + wrong
        risk = np.nan_to_num(divide(wrong.cumsum(axis=1), both.cumsum(axis=1)))
        return divide((both * risk).sum(axis=1), both.sum(axis=1))

    return _by_confidence(fragments, weights, statistic)


@dataclasses.dataclass(frozen=True)
class Bin:
    """A bar of a reliability diagram: `n` fragments with confidence in [low, high]."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(fragments: Judged, edges: Floats) -> list[Bin]:
    """Mean confidence and accuracy of each bin that is not empty."""
    which = _bin(fragments.confidence, edges)
    bins = []
    for b in np.unique(which):
        inside = which == b
        mean = float(fragments.confidence[inside].mean()), float(fragments.correct[inside].mean())
        bins.append(Bin(float(edges[b]), float(edges[min(b + 1, len(edges) - 1)]), int(inside.sum()), *mean))
    return bins


def risk_coverage(fragments: Judged, points: int = 200) -> list[tuple[float, float]]:
    """(coverage, risk): the share of fragments at least that confident and the share of wrong ones among them.

    At most `points` of them, evenly spread over the coverage.
    """
    if not fragments.confidence.size:
        return []
    order = np.argsort(-fragments.confidence, kind="stable")
    confidence, wrong = fragments.confidence[order], 1 - fragments.correct[order]
    ends = np.flatnonzero(np.diff(confidence, append=-np.inf))
    kept = np.arange(1, len(wrong) + 1)[ends]
    risk = wrong.cumsum()[ends] / kept
    shown = np.unique(np.linspace(0, len(ends) - 1, points).round().astype(int))
    return [(float(kept[i] / len(wrong)), float(risk[i])) for i in shown]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """One confidence of one model against the verdicts.

    Attributes:
        confidence: `token_probability` or `1 - halt_probability`.
        n: decided fragments with a finite confidence, of all responses and seeds.
        bins: the reliability diagram, equal widths.
        curve: the risk–coverage curve.
    """

    model: str
    confidence: str
    n: int
    accuracy: float | None
    ece: Estimate
    ece_equal_mass: Estimate
    brier: Estimate
    auroc: Estimate
    aurc: Estimate
    bins: list[Bin]
    curve: list[tuple[float, float]]


def calibrate(model: str, confidence: str, fragments: Judged, weights: Floats) -> Calibration:
    """Every measure of this module for one confidence of one model."""
    n = len(fragments.confidence)
    return Calibration(
        model=model,
        confidence=confidence,
        n=n,
        accuracy=float(fragments.correct.mean()) if n else None,
        ece=estimate(ece(fragments, weights, equal_width())),
        ece_equal_mass=estimate(ece(fragments, weights, equal_mass(fragments.confidence))),
        brier=estimate(brier(fragments, weights)),
        auroc=estimate(auroc(fragments, weights)),
        aurc=estimate(aurc(fragments, weights)),
        bins=reliability(fragments, equal_width()),
        curve=risk_coverage(fragments),
    )
