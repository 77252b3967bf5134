"""Fragments that are right or wrong, with how sure the model was of each: what calibration and ranking are made of.

Measures of them take the weights of `bootstrap` and give draws. Fragments of one prompt share its weight, so that the
intervals are clustered by prompt. All are micro: every fragment counts the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rlhalt.evaluation.bootstrap import Floats, ratio
from rlhalt.records import Confidence, Scored


@dataclasses.dataclass(frozen=True)
class Judged:
    """Decided fragments: how sure the model was, and whether it was right.

    Attributes:
        confidence: in [0, 1].
        correct: 1 for a correct fragment, 0 for an incorrect one.
        prompt: the position of its prompt, or of its prompt of its seed (see `joined`): a column of the weights.
    """

    confidence: Floats
    correct: Floats
    prompt: npt.NDArray[np.intp]


def judged(confidence: list[float], correct: list[bool], prompt: list[int]) -> Judged:
    """Fragments as arrays; those whose confidence is not a finite number are left out, rounding past 0 or 1 is cut."""
    values = np.asarray(confidence, dtype=np.float64)
    kept = np.isfinite(values)
    return Judged(
        np.clip(values[kept], 0, 1),
        np.asarray(correct, dtype=np.float64)[kept],
        np.asarray(prompt, dtype=np.intp)[kept],
    )


def confidences(given: Confidence) -> dict[str, list[float]]:
    """The confidences of a policy in each fragment of one response, by name."""
    return {
        "token_probability": given.token_probability,
        "1 - halt_probability": [1 - one for one in given.halt_probability],
    }


def decided(rows: Iterable[tuple[Scored, Confidence]], position: Mapping[str, int]) -> dict[str, Judged]:
    """The decided fragments of responses with each of the confidences in them.

    Args:
        position: of each prompt, by its key.
    """
    found: dict[str, list[float]] = {}
    correct: list[bool] = []
    prompt: list[int] = []
    for row, given in rows:
        labelled = [i for i, one in enumerate(row.fragments) if one.label in ("correct", "incorrect")]
        correct += [row.fragments[i].label == "correct" for i in labelled]
        prompt += [position[row.prompt_key]] * len(labelled)
        for name, values in confidences(given).items():
            found.setdefault(name, []).extend(values[i] for i in labelled)
    return {name: judged(values, correct, prompt) for name, values in found.items()}


def joined(seeds: Sequence[Judged], n_prompts: int) -> Judged:
    """The fragments of several seeds together; prompt p of the s-th seed is s · n_prompts + p (`bootstrap.crossed`)."""
    return Judged(
        np.concatenate([one.confidence for one in seeds]),
        np.concatenate([one.correct for one in seeds]),
        np.concatenate([one.prompt + place * n_prompts for place, one in enumerate(seeds)]),
    )


def sums(values: Floats, fragments: Judged, weights: Floats) -> Floats:
    """Draws of the sum over fragments of one value each, through the sums over each prompt."""
    return weights @ _by_prompt(values, fragments, weights)


def mean(values: Floats, fragments: Judged, weights: Floats) -> Floats:
    """Draws of the mean over fragments of one value each; not defined where there are none."""
    return ratio(weights, *(_by_prompt(one, fragments, weights) for one in (values, np.ones_like(values))))


def _by_prompt(values: Floats, fragments: Judged, weights: Floats) -> Floats:
    return np.bincount(fragments.prompt, weights=values, minlength=weights.shape[1]).astype(np.float64)
