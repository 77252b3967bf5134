"""From a confidence to the probability of being right: maps that are fitted on labelled fragments, without training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Map = Callable[[Floats], Floats]


def _logit(confidence: Floats) -> Floats:
    inside = np.clip(confidence, 1e-6, 1 - 1e-6)
    return np.log(inside) - np.log1p(-inside)


def _sigmoid(x: Floats) -> Floats:
    likely: Floats = np.exp(-np.logaddexp(0, -x))
    return likely


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


def isotonic_line(confidence: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """The rising function nearest to the verdicts in squared error: confidences, and its values there.

    Zadrozny & Elkan 2002. Neighbours that fall are pooled until none does (Barlow et al. 1972).
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
