"""The distilled cut: targets that teach a model to obey the τ that its prompt tells.

    system     Reliability: 0.80
    user       State five facts about Kenya.
    assistant  Kenya is in Africa. Its capital is Nairobi.        the facts with a probability of 0.80 or more

Each response of a generator is cut at several τ, and each cut response becomes a target whose prompt tells its τ. The
probabilities come from a calibration of the generator; a verdict is used for nothing else. So after the calibration the
prompts need no references, and there can be as many as one likes. Fine-tuned on such targets, one model leaves out more
the higher the τ in its prompt. No training does this that draws τ and rewards or prefers at it: the number in the
prompt was ignored (docs/threshold.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from rlhalt.cut.calibrate import decided
from rlhalt.cut.probability import fitted
from rlhalt.cut.respond import Judged
from rlhalt.errors import InputError
from rlhalt.records import Scored, Target, content_key
from rlhalt.rewards import Halting
from rlhalt.threshold_prompt import with_threshold
from rlhalt.training_data.pieces import finished, target, usable

LOWEST, HIGHEST = 0.02, 0.98
STYLE = "distilled"


def distilled(rows: Iterable[Judged], halting: Halting, draws: int, phrase: str, seed: int = 0) -> Iterator[Target]:
    """Each response cut at `draws` thresholds, as targets whose prompts tell τ.

    The thresholds of a response are drawn one from each of `draws` equal parts of (0.02, 0.98), to two decimals: low
    and high ones are shown alike. A response that ran into the token limit loses its last fragment.

    Args:
        rows: responses with the probability of each fragment.
        draws: thresholds for each response.
        phrase: what the domain halts with.
        seed: of the thresholds.

    Raises:
        InputError: fewer than one threshold for each response.
    """
    if draws < 1:
        raise InputError(f"expected at least 1 threshold for each response, found {draws}", field="draws")
    rng = np.random.default_rng(seed)
    for one in rows:
        at = LOWEST + (HIGHEST - LOWEST) * (np.arange(draws) + rng.random(draws)) / draws
        if not usable(one.row) or not (its := _finished(one)).row.fragments:
            continue
        for threshold in at.round(2).tolist():
            made = target(its.row, its.text(threshold, halting, phrase), STYLE)
            yield dataclasses.replace(
                made,
                key=content_key(made.key, threshold),
                prompt=with_threshold(its.row.prompt, threshold),
            )


def _finished(one: Judged) -> Judged:
    """The response without a fragment that the token limit cut off."""
    fragments = finished(one.row)
    if len(fragments) == len(one.row.fragments):
        return one
    end = fragments[-1].end if fragments else 0
    row = dataclasses.replace(one.row, response=one.row.response[:end], fragments=fragments, finish_reason="stop")
    return Judged(row, one.probability[: len(fragments)])


def cross_fitted(
    parts: Sequence[Sequence[Scored]], confidence: Sequence[Sequence[Sequence[float]]]
) -> list[list[Judged]]:
    """The probability of each fragment of two parts of the prompts, by the map of the other part (Platt's).

    Args:
        parts: the scored responses to each part of the prompts.
        confidence: for each part and response, one number a fragment, see `rlhalt.cut.confidence`.

    Raises:
        InputError: fewer than 30 decided fragments in a part.
    """
    maps = []
    for rows, sure in zip(parts, confidence, strict=True):
        keys = list(dict.fromkeys(row.prompt_key for row in rows))
        its = decided(rows, sure, {key: place for place, key in enumerate(keys)})
        maps.append(fitted("platt", its.confidence, its.correct))
    found = []
    for rows, sure, probability in zip(parts, confidence, reversed(maps), strict=True):
        found.append(
            [
                Judged(row, _known(row, probability(np.array(values, dtype=np.float64)).tolist()))
                for row, values in zip(rows, sure, strict=True)
            ]
        )
    return found


def _known(row: Scored, values: Sequence[float]) -> list[float]:
    return [float("nan") if one.label == "halt" else value for one, value in zip(row.fragments, values, strict=True)]
