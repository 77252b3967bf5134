"""The reward of a response by a trained reward model: the τ-utility that its probabilities expect.

A fragment that is right with probability p is worth p - τ (`rlhalt.rewards`). In a causal domain it is worth that only
where all before it are right, so each counts with the product of the probabilities before it. Nothing counts behind a
halt, and what is said again can only cost: -(1 - p) τ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rlhalt.decoding.candidates import Score
from rlhalt.decoding.setup import Setup
from rlhalt.fragments.stated_confidence import is_confidence
from rlhalt.records import Fragment, Scored
from rlhalt.reward_model.reader import load
from rlhalt.rewards import Halting
from rlhalt.statement import said_before


def reward(setup: Setup) -> Score:
    """The reward of responses by the reward model of a decoding.

    Raises:
        InputError: see `rlhalt.reward_model.reader.load`.
    """
    model = load(setup.how.reward_model)

    def score(rows: Sequence[Scored]) -> list[float]:
        found = model.probabilities(model.reader.rows(rows))
        return [
            expected_utility(row.fragments, its, setup.threshold, setup.scorer.halting)
            for row, its in zip(rows, found, strict=True)
        ]

    return score


def expected_utility(
    fragments: Sequence[Fragment], probability: Sequence[float], threshold: float, halting: Halting
) -> float:
    """The τ-utility that is expected of a response.

    Args:
        probability: one a fragment; NaN for one that the model could not read, which counts nothing. A stated
            confidence counts nothing either.

    >>> parts = [Fragment(at, at + 1, "step", "abc"[at]) for at in range(3)]
    >>> [round(expected_utility(parts, [0.9, 0.5, 0.7], 0.5, kind), 3) for kind in ("independent", "causal")]
    [0.6, 0.49]
    """
    total, open_ = 0.0, 1.0
    for one, p, again in zip(fragments, probability, said_before(fragments), strict=True):
        if one.kind == "halt":
            break
        if math.isnan(p) or is_confidence(one):
            continue
        repeated = again and halting == "independent"
        total += open_ * (-(1 - p) * threshold if repeated else p - threshold)
        open_ *= p if halting == "causal" else 1.0
    return total
