"""Where a policy begins to speak: the share of base's statements that it makes too, over how sure base was of them.

A policy trained at τ is to say what is right with probability τ or more: P(speak) should rise from 0 to 1 at τ, and the
*switch point*, where it passes ½, should be τ. In the files of an evaluation that is seen by **approximation** only:

- What could be said is what base said: its fragments with a verdict, on the same held-out prompts under the same
  decoding. What only the policy thinks of is not looked at.
- The probability is base's token probability, recalibrated (Platt, cross-fitted over halves of the prompts). It is not
  the policy's own, and right only on average: a policy that switches sharply at its own p rises slowly over this one.
- Spoken is what a response of the policy says in the same words (`rlhalt.credit.statement`). Another wording and
  another value count as not spoken, so that a share is a lower bound.

Steps of a chain are not said again in the same words: of causal domains nothing is told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rlhalt.credit import statement
from rlhalt.evaluation.baselines import Answered
from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate
from rlhalt.evaluation.calibration import Bin, equal_mass, reliability
from rlhalt.evaluation.judged import Judged
from rlhalt.evaluation.recalibration import cross_fitted, halves, platt
from rlhalt.records import Scored

BINS = 10
# A regression each: enough for an interval of two digits.
RESAMPLES = 200
_GRID = 1001


@dataclasses.dataclass(frozen=True)
class Speaking:
    """What one model says of what base said, under one decoding.

    Attributes:
        n: statements of base that are right or wrong.
        spoken: the share that the model makes too, over its responses and seeds.
        switch: the confidence at which logistic regression of speaking on its log-odds passes ½; not defined where it
            does so at no confidence that was seen, or falls.
        bins: the share spoken (`accuracy`) by confidence, equally many statements a bin; `n` counts each statement once
            a response that could have made it.
    """

    model: str
    decoding: str
    threshold: float | None
    n: int
    spoken: float | None
    switch: Estimate
    bins: list[Bin]


@dataclasses.dataclass(frozen=True)
class Statements:
    """What base said and was judged: in words, how sure it was after recalibration, and the position of the prompt."""

    words: list[str]
    confidence: Floats
    prompt: npt.NDArray[np.intp]


def statements(answered: Answered, keys: Sequence[str], seed: int) -> Statements:
    """Base's statements with a verdict and a confidence.

    Args:
        answered: base's responses of one decoding with its confidences.
        keys: of the prompts, in the order of the columns of the bootstrap weights.
        seed: of the halves.
    """
    position = {key: place for place, key in enumerate(keys)}
    found = [
        (statement(fragment), sure, fragment.label == "correct", position[row.prompt_key])
        for row, given in answered
        for fragment, sure in zip(row.fragments, given.token_probability, strict=True)
        if fragment.label in ("correct", "incorrect") and np.isfinite(sure)
    ]
    sure = np.clip(np.array([one[1] for one in found], dtype=np.float64), 0, 1)
    right = np.array([one[2] for one in found], dtype=np.float64)
    prompt = np.array([one[3] for one in found], dtype=np.intp)
    q = cross_fitted(Judged(sure, right, prompt), platt, halves(len(keys), seed))(sure, prompt)
    known = np.isfinite(q)
    return Statements([one[0] for one, is_known in zip(found, known, strict=True) if is_known], q[known], prompt[known])


def speaking(
    model: str,
    decoding: str,
    threshold: float | None,
    base: Statements,
    rows: Sequence[Scored],
    keys: Sequence[str],
    weights: Floats,
) -> Speaking:
    """Hold a model's responses, those of all seeds, against base's statements."""
    said: Mapping[str, list[set[str]]] = {key: [] for key in keys}
    for row in rows:
        said[row.prompt_key].append({statement(one) for one in row.fragments})
    asked = [(at, words in one) for at, words in enumerate(base.words) for one in said[keys[base.prompt[at]]]]
    at = np.array([one[0] for one in asked], dtype=np.intp)
    spoken = np.array([one[1] for one in asked], dtype=np.float64)
    made = Judged(base.confidence[at], spoken, base.prompt[at])
    return Speaking(
        model=model,
        decoding=decoding,
        threshold=threshold,
        n=len(base.words),
        spoken=float(spoken.mean()) if len(asked) else None,
        switch=switch(made, weights[: 1 + RESAMPLES]),
        bins=reliability(made, equal_mass(made.confidence, BINS)) if len(asked) else [],
    )


def switch(made: Judged, weights: Floats) -> Estimate:
    """The confidence at which P(speak) passes ½, with its interval over prompts.

    P(speak) = σ(a logit(q) + b) is fitted as Platt (1999) does. A resample in which it passes ½ below or above all that
    was seen counts as the end of that range, so that the interval reaches as far as the data do.

    Args:
        made: statements with their confidence q, `correct` where they were spoken.
    """
    if not made.confidence.size or made.confidence.min() == made.confidence.max():
        return Estimate(None)
    grid = np.linspace(made.confidence.min(), made.confidence.max(), _GRID)
    draws = np.array([_crossing(made, row, grid) for row in weights])
    return estimate(draws) if grid[0] < draws[0] < grid[-1] else Estimate(None)


def _crossing(made: Judged, weights: Floats, grid: Floats) -> float:
    drawn = np.repeat(np.arange(len(made.prompt)), weights[made.prompt].astype(np.intp))
    if not drawn.size:
        return np.nan
    likely = platt(made.confidence[drawn], made.correct[drawn])(grid)
    return float(np.interp(0.5, likely, grid)) if likely[-1] > likely[0] else np.nan
