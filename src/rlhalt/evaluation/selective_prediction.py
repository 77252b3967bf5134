"""How well a confidence puts right fragments before wrong ones, whatever its values mean: its order is all that counts.

Fragments of equal confidence enter together, so that the order of the file does not matter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlhalt.evaluation.bootstrap import Floats, divide
from rlhalt.evaluation.confidence_arrays import Judged, mean, sums


def auroc(fragments: Judged, weights: Floats) -> Floats:
    """Probability that a correct fragment is more confident than an incorrect one, ties counting half.

    Hanley & McNeil 1982. Not defined where all fragments are right or all are wrong.

    Args:
        fragments: N decided fragments of P prompts.
        weights: shape (1 + R, P), see `rlhalt.evaluation.bootstrap.weights`.

    Returns:
        Shape (1 + R,), in [0, 1].

    >>> from rlhalt.evaluation.bootstrap import weights
    >>> from rlhalt.evaluation.confidence_arrays import judged
    >>> four = judged([0.9, 0.8, 0.6, 0.1], [True, True, False, False], prompt=[0, 0, 1, 1])
    >>> auroc(four, weights(2, seed=0, resamples=1))[0].item()
    1.0
    """

    def statistic(right: Floats, wrong: Floats) -> Floats:
        n_right, n_wrong = right.sum(axis=1), wrong.sum(axis=1)
        less_confident = n_wrong[:, None] - wrong.cumsum(axis=1)
        return divide((right * (less_confident + wrong / 2)).sum(axis=1), n_right * n_wrong)

    return _by_confidence(fragments, weights, statistic)


def auprc(fragments: Judged, weights: Floats) -> Floats:
    """Average precision of finding the *incorrect* fragments by a low confidence.

    Σ over confidences c of (recall at c - recall before c) · precision at c, the least confident first, as
    scikit-learn's `average_precision_score`. A confidence that tells nothing gives about the share of incorrect
    fragments. Not defined where there are none.

    Args:
        fragments: N decided fragments of P prompts.
        weights: shape (1 + R, P), see `rlhalt.evaluation.bootstrap.weights`.

    Returns:
        Shape (1 + R,), in [0, 1].

    >>> from rlhalt.evaluation.bootstrap import weights
    >>> from rlhalt.evaluation.confidence_arrays import judged
    >>> four = judged([0.9, 0.6, 0.8, 0.1], [True, True, False, False], prompt=[0, 0, 1, 1])
    >>> auprc(four, weights(2, seed=0, resamples=1))[0].round(3).item()
    0.833
    """

    def statistic(right: Floats, wrong: Floats) -> Floats:
        # The least confident first.
        right, wrong = right[:, ::-1], wrong[:, ::-1]
        found, called = wrong.cumsum(axis=1), (right + wrong).cumsum(axis=1)
        precision = np.nan_to_num(divide(found, called))
        return divide((wrong * precision).sum(axis=1), wrong.sum(axis=1))

    return _by_confidence(fragments, weights, statistic)


def aurc(fragments: Judged, weights: Floats) -> Floats:
    """Area under the risk–coverage curve: the mean over fragments of the wrong share among those at least as confident.

    0 is best; a confidence that tells nothing gives about the overall error (Geifman et al., arXiv 1805.08206).
    """

    def statistic(right: Floats, wrong: Floats) -> Floats:
        both = right + wrong
        risk = np.nan_to_num(divide(wrong.cumsum(axis=1), both.cumsum(axis=1)))
        return divide((both * risk).sum(axis=1), both.sum(axis=1))

    return _by_confidence(fragments, weights, statistic)


def best_aurc(fragments: Judged, weights: Floats) -> Floats:
    """The lowest AURC there is: that of a confidence that puts every right fragment before every wrong one.

    With R right ones of n it is Σ_{k > R} (k - R) / k / n; for large n that is r + (1 - r) log(1 - r) of the error r
    (Geifman et al., arXiv 1805.08206).
    """
    right = sums(fragments.correct, fragments, weights)
    n = sums(np.ones_like(fragments.correct), fragments, weights)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n.max() + 1))])
    between = harmonic[n.astype(int)] - harmonic[right.astype(int)]
    return divide(n - right - right * between, n)


def eaurc(area: Floats, best: Floats) -> Floats:
    """Excess AURC: how far the area is above the best one; 0 is best (Geifman et al., arXiv 1805.08206).

    Args:
        area, best: draws of `aurc` and `best_aurc`.
    """
    return area - best


def auarc(area: Floats) -> Floats:
    """Area under the accuracy–rejection curve (Nadeem et al. 2009): 1 - AURC, the mean accuracy of what is kept."""
    return 1 - area


def prr(area: Floats, best: Floats, fragments: Judged, weights: Floats) -> Floats:
    """Prediction rejection ratio: (AUARC - accuracy) / (best AUARC - accuracy).

    Malinin & Gales, arXiv 2002.07650: 1 where every right fragment is more confident than every wrong one, 0 for a
    confidence that tells nothing, below 0 where it misleads. Not defined where all are right or all are wrong.
    """
    error = mean(1 - fragments.correct, fragments, weights)
    # Of one class only, the best order is any order: the difference is 0 up to rounding.
    return np.where((error > 0) & (error < 1), divide(error - area, error - best), np.nan)


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
