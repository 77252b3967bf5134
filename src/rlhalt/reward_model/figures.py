"""How well probabilities tell correct fragments from incorrect ones, with 95 % intervals over prompts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlhalt.evaluation.bootstrap import Estimate, Floats, divide, estimate, weights
from rlhalt.evaluation.calibration import ece, equal_width
from rlhalt.evaluation.confidence_arrays import Judged, judged
from rlhalt.evaluation.selective_prediction import auprc, auroc
from rlhalt.records import Scored
from rlhalt.reward_model.labels import fragment_labels
from rlhalt.rewards import Halting


@dataclasses.dataclass(frozen=True)
class Balance:
    """The fragments with a label in one part of the prompts."""

    prompts: int
    correct: int
    incorrect: int

    @property
    def decided(self) -> int:
        """Fragments with a label."""
        return self.correct + self.incorrect


@dataclasses.dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes:
        train, validation, test: the fragments of each part; all else here is measured on the third, see
            `rlhalt.reward_model.train.learn` for the use of the others.
        auroc: P(a correct fragment has a higher probability than an incorrect one).
        auprc: the average precision of finding the *incorrect* fragments; a constant has their share.
        ece_before, ece_after: expected calibration error before and after the calibration.
        first_error: see `first_error`.
    """

    train: Balance
    validation: Balance
    test: Balance
    auroc: Estimate
    auprc: Estimate
    ece_before: Estimate
    ece_after: Estimate
    first_error: Estimate


def balance(rows: Sequence[Scored], halting: Halting) -> Balance:
    """The fragments with a label of responses."""
    found = [one for row in rows for one in fragment_labels(row.fragments, halting)]
    return Balance(len({row.prompt_key for row in rows}), found.count(1), found.count(0))


def measured(
    rows: Sequence[Scored], probability: Sequence[Sequence[float]], halting: Halting, seed: int = 0
) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """AUROC, AUPRC, ECE and first error of the probabilities of a model.

    Args:
        rows: scored responses.
        probability: one number a fragment in [0, 1]; NaN where there is none, which is left out.
        seed: of the resamples.
    """
    keys = {key: place for place, key in enumerate(dict.fromkeys(row.prompt_key for row in rows))}
    its = with_labels(rows, probability, halting, keys)
    drawn = weights(len(keys), seed)
    return (
        estimate(auroc(its, drawn)),
        estimate(auprc(its, drawn)),
        estimate(ece(its, drawn, equal_width())) if its.confidence.size else Estimate(None),
        estimate(first_error(rows, probability, halting, keys, drawn)),
    )


def with_labels(
    rows: Sequence[Scored], probability: Sequence[Sequence[float]], halting: Halting, position: dict[str, int]
) -> Judged:
    """The fragments with a label, and the probability of each.

    Args:
        position: of each prompt, by its key.
    """
    found = [
        (sure, label == 1, position[row.prompt_key])
        for row, its in zip(rows, probability, strict=True)
        for label, sure in zip(fragment_labels(row.fragments, halting), its, strict=True)
        if label is not None
    ]
    return judged([one for one, _, _ in found], [one for _, one, _ in found], [one for _, _, one in found])


def first_error(
    rows: Sequence[Scored],
    probability: Sequence[Sequence[float]],
    halting: Halting,
    position: dict[str, int],
    weights: Floats,
    threshold: float = 0.5,
) -> Floats:
    """How often the first incorrect fragment is found: F1 of ProcessBench (arXiv 2412.06559).

    The model says that the first fragment with a probability below ½ is the first error, or that there is none. F1 is
    the harmonic mean of the shares in which that is right, of the responses with an error and of those without. Only
    fragments with a label count; responses without one take no part.

    Returns:
        Draws of F1, shape of the weights' first axis; NaN where one of the two kinds of response is missing.
    """
    hits, all_ = np.zeros((2, weights.shape[1])), np.zeros((2, weights.shape[1]))
    for row, its in zip(rows, probability, strict=True):
        labels = fragment_labels(row.fragments, halting)
        decided = [(label, sure) for label, sure in zip(labels, its, strict=True) if label is not None]
        if not decided:
            continue
        true = next((place for place, (label, _) in enumerate(decided) if label == 0), None)
        # NaN is not below ½: what has no probability is not called an error.
        said = next((place for place, (_, sure) in enumerate(decided) if sure < threshold), None)
        kind, column = int(true is None), position[row.prompt_key]
        all_[kind, column] += 1
        hits[kind, column] += said == true
    shares = [divide(weights @ hits[kind], weights @ all_[kind]) for kind in (0, 1)]
    total = shares[0] + shares[1]
    return np.where(total == 0, 0.0, divide(2 * shares[0] * shares[1], total))
