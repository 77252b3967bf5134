"""Intervals by resampling prompts.

Responses to one prompt are not independent, prompts are: so whole prompts are drawn with replacement (the cluster
bootstrap, Davison & Hinkley 1997, §3.8) and the interval is the percentile interval (Efron & Tibshirani 1993, §13.3).

A resample of n prompts is a row of n weights: how often each prompt was drawn. A statistic is a function of weighted
sums over prompts, so it is computed for all resamples at once, and its *draws* are a vector: `draws[0]`, with every
weight 1, is the estimate, `draws[1:]` are the resamples. Models judged under the same weights are paired: the draws of
a difference are the difference of the draws.

The interval says how far the value would move with other prompts. It says nothing about other training seeds; those are
reported beside it. A rate that is 0 or 1 on every prompt has an interval of no width, which is a limit of the method.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None is "not defined".

    Attributes:
        low, high: None also where one prompt is all there is, which no resampling can vary.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def includes_zero(self) -> bool | None:
        """Whether the interval includes 0: for a difference, whether the data leave its sign open."""
        return None if self.low is None or self.high is None else self.low <= 0 <= self.high


def weights(n_prompts: int, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Bootstrap weights, shape (1 + resamples, n_prompts); the first row is all ones.

    With fewer than two prompts there is nothing to resample and only the first row.
    """
    ones = np.ones((1, n_prompts))
    if n_prompts < 2:
        return ones
    drawn = np.random.default_rng(seed).multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=resamples)
    return np.concatenate([ones, drawn.astype(np.float64)])


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient, NaN ("not defined") where the denominator is 0."""
    quotient: Floats = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def ratio(weights: Floats, numerator: Floats, denominator: Floats) -> Floats:
    """Draws of Σ numerator / Σ denominator over prompts, both given one value a prompt."""
    return divide(weights @ numerator, weights @ denominator)


def estimate(draws: Floats) -> Estimate:
    """The value and the 2.5 and 97.5 percentiles of its resamples; those where it is not defined are left out."""
    if not np.isfinite(draws[0]):
        return Estimate(None)
    resampled = draws[1:][np.isfinite(draws[1:])]
    if not resampled.size:
        return Estimate(float(draws[0]))
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(draws[0]), float(low), float(high))
