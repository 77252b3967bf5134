"""Intervals over prompts and training seeds.

Claims of one response are not independent, prompts are: so whole prompts are drawn with replacement (the cluster
bootstrap, Davison & Hinkley 1997, §3.8). A model that was trained with several seeds is one draw of what such a
training gives: so its seeds are drawn too, and then the prompts. Every seed answers the same prompts, so the two are
crossed: a resample draws prompts once for all seeds (the pigeonhole bootstrap, Owen 2007; Owen & Eckles 2012). The
interval is the percentile interval (Efron & Tibshirani 1993, §13.3).

Of S seeds, S - 1 are drawn: with so few, drawing S would make the variance too small by (S - 1) / S (Rao & Wu 1988).
Of one seed nothing can be drawn, and the interval says nothing about other trainings.

A resample is a row of weights: how often each prompt of each seed was drawn. A statistic is a function of weighted
sums over them, so it is computed for all resamples at once, and its *draws* are a vector: `draws[0]`, with every weight
1, is the estimate, `draws[1:]` are the resamples. Models judged under the same prompt weights are paired: the draws of
a difference are the difference of the draws.

The interval says how far the value would move with other prompts, and with other seeds where there are several; of two
or three seeds that is a rough guess. A rate that is 0 or 1 on every prompt has an interval of no width, which is a
limit of the method.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence

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

    >>> weights(4, seed=0, resamples=2).shape
    (3, 4)
    """
    ones = np.ones((1, n_prompts))
    if n_prompts < 2:
        return ones
    drawn = np.random.default_rng(seed).multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=resamples)
    return np.concatenate([ones, drawn.astype(np.float64)])


def seed_weights(seeds: Sequence[int], seed: int, resamples: int = RESAMPLES) -> Floats:
    """Bootstrap weights of training seeds, shape (1 + resamples, seeds); the first row is all ones.

    Each other row draws one seed fewer than there are, see the module; of one seed all rows are ones. Equal seeds are
    drawn alike, so that a model is paired with the one that its training started from.

    Args:
        seeds: the training seeds.
        seed: of the bootstrap.
    """
    n = len(seeds)
    if n < 2:
        return np.ones((1 + resamples, n))
    generator = np.random.default_rng([seed, zlib.crc32(repr(tuple(seeds)).encode())])
    drawn = generator.multinomial(n - 1, np.full(n, 1 / n), size=resamples)
    return np.concatenate([np.ones((1, n)), drawn.astype(np.float64)])


def crossed(seeds: Floats, prompts: Floats) -> Floats:
    """The weights of every prompt of every seed, shape (resamples, seeds × prompts): all prompts of a seed together.

    Args:
        seeds: see `seed_weights`; rows beyond those of `prompts` are left out.
        prompts: see `weights`.
    """
    cells: Floats = (seeds[: len(prompts), :, None] * prompts[:, None, :]).reshape(len(prompts), -1)
    return cells


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient, NaN ("not defined") where the denominator is 0."""
    quotient: Floats = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def ratio(weights: Floats, numerator: Floats, denominator: Floats) -> Floats:
    """Draws of Σ numerator / Σ denominator over prompts, both given one value a prompt (and seed, as `weights` are).

    Args:
        weights: shape (1 + R, P), see `weights`.
        numerator, denominator: shape (P,).

    Returns:
        Shape (1 + R,), NaN where the denominator is 0.

    >>> ratio(weights(3, seed=0, resamples=1), np.array([1.0, 2.0, 0.0]), np.array([2.0, 2.0, 0.0]))[0].item()
    0.75
    """
    return divide(weights @ numerator, weights @ denominator)


def estimate(draws: Floats) -> Estimate:
    """The value and the 2.5 and 97.5 percentiles of its resamples; those where it is not defined are left out.

    Args:
        draws: shape (1 + R,): the value, then its resamples.

    >>> estimate(np.array([0.5, 0.4, 0.6]))
    Estimate(value=0.5, low=0.405, high=0.595)
    """
    if not np.isfinite(draws[0]):
        return Estimate(None)
    resampled = draws[1:][np.isfinite(draws[1:])]
    if not resampled.size:
        return Estimate(float(draws[0]))
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(draws[0]), float(low), float(high))
