"""Whether a confidence means what it says: of what a model is 80 % sure of, 80 % should be right."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from rlhalt.evaluation.bootstrap import Estimate, Floats, divide, estimate
from rlhalt.evaluation.confidence_arrays import Judged, mean, sums
from rlhalt.evaluation.selective_prediction import auarc, aurc, auroc, best_aurc, eaurc, prr, risk_coverage

BINS = 15


def brier(fragments: Judged, weights: Floats) -> Floats:
    """Mean of (confidence - correct)² over fragments (Brier 1950); 0 is best, always saying ½ gives 0.25.

    Args:
        fragments: N decided fragments of P prompts.
        weights: shape (1 + R, P), see `rlhalt.evaluation.bootstrap.weights`.

    Returns:
        Shape (1 + R,), in [0, 1].

    >>> from rlhalt.evaluation.bootstrap import weights
    >>> from rlhalt.evaluation.confidence_arrays import judged
    >>> four = judged([0.9, 0.8, 0.6, 0.1], [True, True, False, False], prompt=[0, 0, 1, 1])
    >>> brier(four, weights(2, seed=0, resamples=1))[0].round(3).item()
    0.105
    """
    return mean((fragments.confidence - fragments.correct) ** 2, fragments, weights)


def nll(fragments: Judged, weights: Floats) -> Floats:
    """Mean of -log of the probability that was given to what is the case, nats a fragment.

    0 is best, always saying ½ gives 0.69 (Good 1952). Not defined where a confidence of exactly 0 or 1 is wrong: it is
    infinite there.
    """
    given = np.where(fragments.correct == 1, fragments.confidence, 1 - fragments.confidence)
    with np.errstate(divide="ignore"):
        loss = -np.log(given)
    if not np.isfinite(loss).all():
        return np.full(len(weights), np.nan)
    return mean(loss, fragments, weights)


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


def _binned(fragments: Judged, weights: Floats, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Draws of the number of fragments, of right ones, and of their summed confidence; one column a bin, none empty."""
    which = _bin(fragments.confidence, edges)
    shape = len(weights), len(np.unique(which))
    n, right, said = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for column, b in enumerate(np.unique(which)):
        inside = (which == b).astype(np.float64)
        n[:, column] = sums(inside, fragments, weights)
        right[:, column] = sums(inside * fragments.correct, fragments, weights)
        said[:, column] = sums(inside * fragments.confidence, fragments, weights)
    return n, right, said


def ece(fragments: Judged, weights: Floats, edges: Floats) -> Floats:
    """Expected calibration error: Σ_b n_b/n · |accuracy_b - mean confidence_b| over bins b.

    Guo et al., arXiv 1706.04599. It is biased upwards where bins hold few fragments, and so is its interval.

    Args:
        fragments: N decided fragments of P prompts.
        weights: shape (1 + R, P), see `rlhalt.evaluation.bootstrap.weights`.
        edges: of the bins, rising from 0 to 1, see `equal_width`.

    Returns:
        Shape (1 + R,), in [0, 1].

    >>> from rlhalt.evaluation.bootstrap import weights
    >>> from rlhalt.evaluation.confidence_arrays import judged
    >>> four = judged([0.9, 0.8, 0.6, 0.1], [True, True, False, False], prompt=[0, 0, 1, 1])
    >>> ece(four, weights(2, seed=0, resamples=1), equal_width(2))[0].round(3).item()
    0.1
    """
    n, right, said = _binned(fragments, weights, edges)
    return divide(np.abs(right - said).sum(axis=1), n.sum(axis=1))


def mce(fragments: Judged, weights: Floats, edges: Floats) -> Floats:
    """Maximum calibration error: max_b |accuracy_b - mean confidence_b| over bins b that are not empty.

    Naeini et al. 2015. A bin of one fragment may decide it: read it beside the reliability diagram.
    """
    n, right, said = _binned(fragments, weights, edges)
    worst = np.nan_to_num(np.abs(divide(right - said, n))).max(axis=1, initial=0)
    return np.where(n.sum(axis=1) > 0, worst, np.nan)


@dataclasses.dataclass(frozen=True)
class Decomposition:
    """The Brier score in parts: reliability - resolution + uncertainty + within.

    Murphy 1973; Stephenson et al. 2008 add `within`, which is 0 where the confidences of each bin are equal.

    Attributes:
        reliability: Σ n_b/n · (accuracy_b - mean confidence_b)², 0 where confidences mean what they say.
        resolution: Σ n_b/n · (accuracy_b - accuracy)², high where right ones are told from wrong ones.
        uncertainty: accuracy · (1 - accuracy), which no confidence can change.
        within: within bins, the variance of the confidence less twice its covariance with being right.
    """

    reliability: Estimate
    resolution: Estimate
    uncertainty: Estimate
    within: Estimate


def decompose(fragments: Judged, weights: Floats, edges: Floats) -> Decomposition:
    """The parts of the Brier score over these bins."""
    n, right, said = _binned(fragments, weights, edges)
    total = n.sum(axis=1)
    accuracy = divide(right.sum(axis=1), total)
    # A bin that a resample leaves empty has no accuracy, and no weight.
    gap, spread = np.nan_to_num(divide(right - said, n)), np.nan_to_num(divide(right, n)) - accuracy[:, None]
    reliable, resolved = divide((n * gap**2).sum(axis=1), total), divide((n * spread**2).sum(axis=1), total)
    uncertain = accuracy * (1 - accuracy)
    within = brier(fragments, weights) - (reliable - resolved + uncertain)
    return Decomposition(estimate(reliable), estimate(resolved), estimate(uncertain), estimate(within))


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
    mce: Estimate
    brier: Estimate
    brier_parts: Decomposition
    nll: Estimate
    auroc: Estimate
    aurc: Estimate
    eaurc: Estimate
    auarc: Estimate
    prr: Estimate
    bins: list[Bin]
    curve: list[tuple[float, float]]


def calibrate(model: str, confidence: str, fragments: Judged, weights: Floats) -> Calibration:
    """Every measure of this module and of `ranking` for one confidence of one model."""
    n = len(fragments.confidence)
    area, best = aurc(fragments, weights), best_aurc(fragments, weights)
    return Calibration(
        model=model,
        confidence=confidence,
        n=n,
        accuracy=float(fragments.correct.mean()) if n else None,
        ece=estimate(ece(fragments, weights, equal_width())),
        ece_equal_mass=estimate(ece(fragments, weights, equal_mass(fragments.confidence))),
        mce=estimate(mce(fragments, weights, equal_width())),
        brier=estimate(brier(fragments, weights)),
        brier_parts=decompose(fragments, weights, equal_width()),
        nll=estimate(nll(fragments, weights)),
        auroc=estimate(auroc(fragments, weights)),
        aurc=estimate(area),
        eaurc=estimate(eaurc(area, best)),
        auarc=estimate(auarc(area)),
        prr=estimate(prr(area, best, fragments, weights)),
        bins=reliability(fragments, equal_width()),
        curve=risk_coverage(fragments),
    )
