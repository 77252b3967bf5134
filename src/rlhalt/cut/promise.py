"""What a calibration promises of whole responses: conformal factuality (arXiv 2402.10978).

The probability of a fragment says how often fragments like it are correct. It promises nothing of a response. Here a τ
is chosen at which a share of all responses have no incorrect fragment left. The promise rests on the order of the
confidences alone (`rlhalt.uncertainty.conformal`), so it holds for a poor map too. It holds on average over
calibrations, for prompts drawn as the calibration prompts were, and for what the verifier can decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rlhalt.cut.probability import Probability
from rlhalt.records import Scored
from rlhalt.uncertainty.conformal import answers, threshold

SHARES = (0.8, 0.9, 0.95)
_STEPS = 10_000


def promises(
    rows: Sequence[Scored], confidence: Sequence[Sequence[float]], probability: Probability
) -> dict[str, float | None]:
    """For each share of responses, a τ at which at least so many have no incorrect fragment left.

    Args:
        rows: scored responses; of each prompt the first counts, because the promise is over prompts.
        confidence: one number a fragment.
        probability: the map from confidence to probability; it rises.

    Returns:
        τ by share, rounded up to four decimals; None where the prompts are too few, or nothing would be said.
    """
    first: dict[str, tuple[Scored, Sequence[float]]] = {}
    for row, its in zip(rows, confidence, strict=True):
        # A fragment without tokens has no confidence, is never said, and so takes no part.
        first.setdefault(row.prompt_key, (row, [-math.inf if math.isnan(one) else one for one in its]))
    found = answers([row for row, _ in first.values()], {row.key: its for row, its in first.values()})
    if not found:
        return {f"{one:g}": None for one in SHARES}
    return {f"{one:g}": _threshold(threshold(found, 1 - one), probability) for one in SHARES}


def _threshold(confidence: float, probability: Probability) -> float | None:
    """The probability just above that of a confidence: a higher threshold keeps less, and the promise all the more."""
    if confidence == math.inf:
        return None
    if confidence == -math.inf:
        return 1 / _STEPS
    value = float(probability(np.array([confidence]))[0])
    at = (math.floor(value * _STEPS) + 1) / _STEPS
    return at if at < 1 else None
