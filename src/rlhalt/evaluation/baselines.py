"""What training has to beat: base as it is, with its fragments left out where its recalibrated confidence is below τ.

A fragment that is right with probability q is worth saying iff q ≥ τ. Whoever has labelled prompts can do that without
training a model: fit a map from confidence to q (`recalibration`), leave out what is doubtful, and in a causal domain
all that comes after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import takewhile

import numpy as np

from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate
from rlhalt.evaluation.calibration import Calibration, calibrate
from rlhalt.evaluation.confidence_arrays import Judged, confidences, decided
from rlhalt.evaluation.metrics import PromptCounts, measure, per_prompt, utility
from rlhalt.evaluation.recalibration import METHODS, cross_fitted, halves
from rlhalt.records import Confidence, Fragment, Scored
from rlhalt.rewards import Halting

Answered = Sequence[tuple[Scored, Confidence]]


@dataclasses.dataclass(frozen=True)
class Baseline:
    """Base, saying only what its recalibrated confidence puts at τ or above.

    Attributes:
        confidence, method: what was recalibrated, and how.
        utility: at `threshold`.
        gains: by trained model, its utility at `threshold` less this one's, paired.
    """

    confidence: str
    method: str
    decoding: str
    threshold: float
    utility: Estimate
    correctness: Estimate
    completeness: Estimate
    gains: dict[str, Estimate]


def baselines(
    answered: Answered,
    decoding: str,
    keys: Sequence[str],
    halting: Halting,
    base: PromptCounts,
    trained: Mapping[str, Mapping[str, Floats]],
    weights: Floats,
    thresholds: Sequence[float],
    seed: int,
) -> list[Baseline]:
    """Every confidence, recalibrated in every way, at every τ.

    Args:
        answered: base's responses of this decoding with its confidences.
        keys: of the prompts, in the order of the columns of `weights`.
        base: its counts as it is.
        trained: the draws of each trained model.
        seed: of the halves.
    """
    position = {key: place for place, key in enumerate(keys)}
    first = halves(len(keys), seed)
    found = []
    for name, fragments in decided(answered, position).items():
        for method, fit in METHODS.items():
            recalibrated = cross_fitted(fragments, fit, first)
            sure = []
            for row, given in answered:
                values = np.array(confidences(given)[name], dtype=np.float64)
                sure.append(recalibrated(values, np.full(len(values), position[row.prompt_key])).tolist())
            for threshold in thresholds:
                rows = [spoken(row, q, threshold, halting) for (row, _), q in zip(answered, sure, strict=True)]
                counts = per_prompt(rows, keys, halting=halting)
                earned, draws = utility(counts, weights, threshold), measure(counts, base, weights)
                found.append(
                    Baseline(
                        confidence=name,
                        method=method,
                        decoding=decoding,
                        threshold=threshold,
                        utility=estimate(earned),
                        correctness=estimate(draws["correctness"]),
                        completeness=estimate(draws["completeness"]),
                        gains={
                            model: estimate(theirs[f"utility@{threshold:g}"] - earned)
                            for model, theirs in trained.items()
                        },
                    )
                )
    return found


def spoken(row: Scored, sure: Sequence[float], threshold: float, halting: Halting) -> Scored:
    """A response without what is less sure than τ, a halt excepted; without what comes after it in a causal domain.

    What has no confidence is left out.
    """

    def said(one: tuple[Fragment, float]) -> bool:
        return one[0].label == "halt" or one[1] >= threshold

    each = zip(row.fragments, sure, strict=True)
    kept = takewhile(said, each) if halting == "causal" else filter(said, each)
    return dataclasses.replace(row, fragments=[fragment for fragment, _ in kept])


def recalibrations(model: str, fragments: Mapping[str, Judged], weights: Floats, seed: int) -> list[Calibration]:
    """The calibration of every confidence of a model after recalibration, called `confidence, method`."""
    first = halves(weights.shape[1], seed)
    found = []
    for name, its in fragments.items():
        for method, fit in METHODS.items():
            q = cross_fitted(its, fit, first)(its.confidence, its.prompt)
            known = np.isfinite(q)
            again = Judged(q[known], its.correct[known], its.prompt[known])
            found.append(calibrate(model, f"{name}, {method}", again, weights))
    return found
