"""From a model's confidence in a fragment to the probability that the fragment is right."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np

from rlhalt.errors import InputError
from rlhalt.uncertainty.recalibration import Floats, isotonic_line, platt_coefficients, platt_map

MethodName = Literal["platt", "isotonic"]
METHODS: tuple[MethodName, ...] = get_args(MethodName)
FEWEST = 30
"""Decided fragments; with fewer, a map says nothing that could be relied on."""


@dataclasses.dataclass(frozen=True)
class Probability:
    """A map from confidence to probability, as numbers that a file can hold.

    Attributes:
        method: `platt`, q = σ(slope · logit c + intercept), or `isotonic`, linear between the points of a rising line.
        slope, intercept: of `platt`.
        confidence, probability: the points of `isotonic`.
    """

    method: MethodName
    slope: float = 0.0
    intercept: float = 0.0
    confidence: tuple[float, ...] = ()
    probability: tuple[float, ...] = ()

    def __call__(self, confidence: Floats) -> Floats:
        """The probability at each confidence; NaN for NaN.

        >>> Probability("platt", slope=1.0, intercept=0.0)(np.array([0.2, 0.5, np.nan])).round(3).tolist()
        [0.2, 0.5, nan]
        """
        confidence = np.asarray(confidence, dtype=np.float64)
        found = np.full(confidence.shape, np.nan)
        known = np.isfinite(confidence)
        inside = np.clip(confidence[known], 0, 1)
        if self.method == "platt":
            found[known] = platt_map(self.slope, self.intercept)(inside)
        else:
            found[known] = np.interp(inside, self.confidence, self.probability)
        return found


def fitted(method: MethodName, confidence: Floats, correct: Floats) -> Probability:
    """The map of the highest likelihood (`platt`) or the nearest rising one (`isotonic`).

    Args:
        confidence: of each decided fragment, in [0, 1].
        correct: 1 for a correct fragment, 0 for an incorrect one.

    Raises:
        InputError: fewer than 30 decided fragments, or an unknown method.

    >>> found = fitted("platt", np.tile([0.2, 0.8], 20), np.tile([0.0, 0.0, 0.0, 1.0], 10))
    >>> found.method, len(found(np.array([0.3, 0.6, 0.9])))
    ('platt', 3)
    """
    if len(confidence) < FEWEST:
        raise InputError(
            f"expected at least {FEWEST} fragments that are correct or incorrect, found {len(confidence)}; give more "
            "prompts, or more responses to each"
        )
    if method == "platt":
        slope, intercept = platt_coefficients(confidence, correct)
        return Probability(method, slope, intercept)
    if method == "isotonic":
        at, value = isotonic_line(confidence, correct)
        return Probability(method, confidence=tuple(at.tolist()), probability=tuple(value.tolist()))
    raise InputError(f"expected {' or '.join(METHODS)}, found '{method}'", field="method")
