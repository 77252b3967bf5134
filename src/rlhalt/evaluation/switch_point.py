"""Where a policy begins to speak: the share of base's statements that it makes too, over how sure base was of them.

A policy trained at τ is to say what is right with probability τ or more: P(speak) should rise from 0 to 1 at τ, and the
*switch point*, where it passes ½, should be τ. In the files of an evaluation that is seen by **approximation** only:

- What could be said is what base said: its fragments with a verdict, on the same held-out prompts under the same
  decoding. What only the policy thinks of is not looked at.
- The probability is base's token probability, recalibrated (Platt, cross-fitted over halves of the prompts). It is not
  the policy's own, and right only on average: a policy that switches sharply at its own p rises slowly over this one.
- Whether the policy speaks is read in two ways. *In the same words* (`rlhalt.statement`) is too strict: who says
  another value speaks too. *On the same matter* (the same opening words, then the same or another value, see
  `rlhalt.uncertainty.nli.lexical`) is milder: another value has odds of its own. Neither sees another wording, and
  the second is for short sentences that are put alike: elsewhere it finds little more than the first.

Steps of a chain are not said again in the same words: of causal domains nothing is told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate
from rlhalt.evaluation.calibration import Bin, equal_mass, reliability
from rlhalt.evaluation.confidence_arrays import Judged
from rlhalt.evaluation.cross_fitting import cross_fitted
from rlhalt.records import Confidence, Scored
from rlhalt.statement import statement
from rlhalt.uncertainty.nli import lexical, relations
from rlhalt.uncertainty.recalibration import platt, platt_coefficients, platt_map

BINS = 10
# A regression each: enough for an interval of two digits.
RESAMPLES = 200
_GRID = 1001

Answered = Sequence[tuple[Scored, Confidence]]


@dataclasses.dataclass(frozen=True)
class Reading:
    """How much of what base said a model says too, under one reading of "says too".

    Attributes:
        spoken: the share, over the model's responses and seeds; None without statements.
        switch: the confidence at which logistic regression of speaking on its log-odds passes ½; not defined where it
            does so at no confidence that was seen, or falls.
        bins: the share spoken (`accuracy`) by confidence, equally many statements a bin; `n` counts each statement once
            a response that could have made it.
    """

    spoken: float | None
    switch: Estimate
    bins: list[Bin]


@dataclasses.dataclass(frozen=True)
class Speaking:
    """What one model says of what base said, under one decoding.

    Attributes:
        n: statements of base that are right or wrong.
        words: said in the same words, the stricter reading.
        matter: something said on the same matter, the milder one.
    """

    model: str
    decoding: str
    threshold: float | None
    n: int
    words: Reading
    matter: Reading


@dataclasses.dataclass(frozen=True)
class Statements:
    """What base said and was judged: in words, how sure it was after recalibration, and the position of the prompt."""

    words: list[str]
    confidence: Floats
    prompt: npt.NDArray[np.intp]


def statements(answered: Answered, keys: Sequence[str], in_first: Mapping[str, bool]) -> Statements:
    """Base's statements with a verdict and a confidence.

    Args:
        answered: base's responses of one decoding with its confidences.
        keys: of the prompts, in the order of the columns of the bootstrap weights.
        in_first: whether a prompt is in the first half, by its key, see `Design.first_half`.
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
    first = np.array([in_first[key] for key in keys])
    q = cross_fitted(Judged(sure, right, prompt), platt, first)(sure, prompt)
    known = np.isfinite(q)
    return Statements([one[0] for one, is_known in zip(found, known, strict=True) if is_known], q[known], prompt[known])


def speaking(
    model: str,
    decoding: str,
    threshold: float | None,
    base: Statements,
    seeds: Sequence[Sequence[Scored]],
    keys: Sequence[str],
    weights: Floats,
) -> Speaking:
    """Compare a model's responses with base's statements.

    Args:
        seeds: the responses of each training seed.
        weights: over these seeds and the prompts, see `Design.weights`.
    """
    said: dict[str, list[tuple[int, list[str]]]] = {key: [] for key in keys}
    for place, rows in enumerate(seeds):
        for row in rows:
            its = [statement(one) for one in row.fragments if one.label != "halt"]
            said[row.prompt_key].append((place, its))
    asked = [(at, place, one) for at, prompt in enumerate(base.prompt) for place, one in said[keys[prompt]]]
    known = relations(lexical, ((one, base.words[at]) for at, _, its in asked for one in its))
    words = [base.words[at] in its for at, _, its in asked]
    matter = [
        same or any(known[one, base.words[at]] != "neutral" for one in its)
        for (at, _, its), same in zip(asked, words, strict=True)
    ]
    places = np.array([at for at, _, _ in asked], dtype=np.intp)
    cell = base.prompt[places] + len(keys) * np.array([place for _, place, _ in asked], dtype=np.intp)
    sure = base.confidence[places]
    return Speaking(
        model=model,
        decoding=decoding,
        threshold=threshold,
        n=len(base.words),
        words=_reading(Judged(sure, np.array(words, dtype=np.float64), cell), weights),
        matter=_reading(Judged(sure, np.array(matter, dtype=np.float64), cell), weights),
    )


def _reading(made: Judged, weights: Floats) -> Reading:
    some = made.confidence.size > 0
    return Reading(
        spoken=float(made.correct.mean()) if some else None,
        switch=switch(made, weights[: 1 + RESAMPLES]),
        bins=reliability(made, equal_mass(made.confidence, BINS)) if some else [],
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
    start = platt_coefficients(made.confidence, made.correct)
    draws = np.array([_crossing(made, row, grid, start) for row in weights])
    return estimate(draws) if grid[0] < draws[0] < grid[-1] else Estimate(None)


def _crossing(made: Judged, weights: Floats, grid: Floats, start: tuple[float, float]) -> float:
    times = weights[made.prompt]
    if not times.any():
        return np.nan
    likely = platt_map(*platt_coefficients(made.confidence, made.correct, times, start))(grid)
    return float(np.interp(0.5, likely, grid)) if likely[-1] > likely[0] else np.nan
