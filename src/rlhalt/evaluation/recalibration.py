"""Making a confidence mean what it says afterwards, with labelled prompts and no training: what training has to beat.

A map from confidence to probability is fitted on one half of the prompts and used on the other, both ways round
(cross-fitting), so that every fragment is judged by a map that has not seen its prompt.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rlhalt.evaluation.bootstrap import Floats
from rlhalt.evaluation.confidence_arrays import Judged

Map = Callable[[Floats], Floats]
Fit = Callable[[Floats, Floats], Map]

_SHARPEST = 100.0


def _logit(confidence: Floats) -> Floats:
    inside = np.clip(confidence, 1e-6, 1 - 1e-6)
    return np.log(inside) - np.log1p(-inside)


def _sigmoid(x: Floats) -> Floats:
    likely: Floats = np.exp(-np.logaddexp(0, -x))
    return likely


def temperature(confidence: Floats, correct: Floats) -> Map:
    """q = σ(logit(p) / T), T of the highest likelihood (Guo et al., arXiv 1706.04599).

    T is at least 0.01, where right and wrong ones are parted at ½; where the confidence misleads it is infinite, and
    all are ½.
    """
    z = _logit(confidence)
    # The slope of the loss in 1/T only rises: halve the interval in which it passes 0.
    low, high = 0.0, _SHARPEST
    for _ in range(60):
        middle = (low + high) / 2
        rising = float(((_sigmoid(middle * z) - correct) * z).sum()) > 0
        low, high = (low, middle) if rising else (middle, high)
    return lambda p: _sigmoid(high * _logit(p))


def platt(confidence: Floats, correct: Floats) -> Map:
    """q = σ(a logit(p) + b) of the highest likelihood, see `platt_coefficients`."""
    return platt_map(*platt_coefficients(confidence, correct))


def platt_map(a: float, b: float) -> Map:
    """q = σ(a logit(p) + b)."""
    return lambda p: _sigmoid(a * _logit(p) + b)


def platt_coefficients(
    confidence: Floats, correct: Floats, times: Floats | None = None, start: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """a and b of q = σ(a logit(p) + b), of the highest likelihood (Platt 1999, on log-odds).

    Platt's targets, (n₊ + 1) / (n₊ + 2) for right ones and 1 / (n₋ + 2) for wrong ones, keep it finite where a and b
    could part them without error.

    Args:
        times: how often each fragment counts; once each if None.
        start: where the search begins; the result does not depend on it.
    """
    if times is None:
        times = np.ones_like(confidence)
    right, n = times @ correct, times.sum()
    target = np.where(correct == 1, (right + 1) / (right + 2), 1 / (n - right + 2))
    inputs = np.stack([_logit(confidence), np.ones_like(confidence)], axis=1)

    def loss(coefficients: Floats) -> float:
        scores = inputs @ coefficients
        return float(times @ (np.logaddexp(0, scores) - target * scores))

    found = np.array(start)
    for _ in range(100):
        q = _sigmoid(inputs @ found)
        curvature = (inputs * (times * q * (1 - q))[:, None]).T @ inputs
        # The shortest step, where equal confidences leave a and b undecided.
        step = np.linalg.lstsq(curvature, inputs.T @ (times * (q - target)), rcond=None)[0]
        while loss(found - step) > loss(found) and np.abs(step).max() > 1e-12:
            step /= 2
        found = found - step
        if np.abs(step).max() < 1e-10:
            break
    return float(found[0]), float(found[1])


def isotonic(confidence: Floats, correct: Floats) -> Map:
    """The rising function of `steps`, linear between fragments."""
    at, fitted = steps(confidence, correct)
    return lambda p: np.interp(p, at, fitted)


def steps(confidence: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """The rising function nearest to the verdicts in squared error: confidences, and its values there.

    Zadrozny & Elkan 2002.     Neighbours that fall are pooled until none does (Barlow et al. 1972).
    """
    at, where = np.unique(confidence, return_inverse=True)
    n = np.bincount(where).astype(np.float64)
    blocks: list[tuple[float, float, int]] = []
    for right, count in zip(np.bincount(where, weights=correct), n, strict=True):
        block = (float(right), float(count), 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    fitted = np.repeat([right / count for right, count, _ in blocks], [places for *_, places in blocks])
    return at, fitted


METHODS: dict[str, Fit] = {"temperature": temperature, "Platt": platt, "isotonic": isotonic}


def halves(n_prompts: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which prompts are in the first half, drawn by the seed."""
    drawn = np.random.default_rng(seed).permutation(n_prompts)
    return drawn < (n_prompts + 1) // 2


def cross_fitted(
    fragments: Judged, fit: Fit, first: npt.NDArray[np.bool_]
) -> Callable[[Floats, npt.NDArray[np.intp]], Floats]:
    """The recalibrated confidence of any fragment, by its confidence and the position of its prompt.

    Args:
        fragments: decided ones to fit on.
        first: which prompts are in the first half, see `halves`.

    Returns:
        NaN for a NaN confidence, and where the other half holds nothing to fit on.
    """
    maps: list[Map | None] = []
    for half in (first, ~first):
        inside = half[fragments.prompt]
        maps.append(fit(fragments.confidence[inside], fragments.correct[inside]) if inside.any() else None)

    def recalibrated(confidence: Floats, prompt: npt.NDArray[np.intp]) -> Floats:
        found = np.full(len(confidence), np.nan)
        for its, other in zip((first, ~first), reversed(maps), strict=True):
            mine = its[prompt] & np.isfinite(confidence)
            if other is not None:
                found[mine] = other(np.clip(confidence[mine], 0, 1))
        return found

    return recalibrated
