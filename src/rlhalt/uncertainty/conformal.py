"""A threshold with a guarantee: conformal factuality (Mohri and Hashimoto, arXiv 2402.10978).

Every claim has a score, the policy's confidence in it. For a prompt i of a calibration split let

    r_i = inf { t : for every t' ≥ t, of the claims scored t' or more the share a or more is right }

where no claim at all counts as right. With n prompts and k = ceil((n + 1)(1 - α)), the threshold is the k-th smallest
r_i. If the calibration prompts and a new one are exchangeable, then what is kept of the new answer, the claims scored
at the threshold or above, is right by the share a or more with

    1 - α  ≤  probability  ( ≤  1 - α + 1/(n + 1)  where no two r_i are equal )

over the draw of calibration prompts and new prompt together: a promise over many calibrations and not of each one, and
over prompts and not for each kind of them. Where k > n, the prompts are too few for the promise, and nothing is kept.

The same number is a correctness threshold τ: a policy whose confidence is calibrated and that speaks iff it is τ or
more keeps what the threshold keeps. τ chosen by its costs, as elsewhere in rlhalt, maximises utility and promises
nothing; a conformal τ promises, and may cost much.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from rlhalt.errors import InputError
from rlhalt.records import Scored


@dataclasses.dataclass(frozen=True)
class Answer:
    """One prompt's answer: the score of each decided claim, and whether it is right."""

    scores: Sequence[float]
    right: Sequence[bool]

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.right):
            raise InputError(f"expected one verdict a score, found {len(self.scores)} and {len(self.right)}")
        if any(math.isnan(score) for score in self.scores):
            raise InputError("expected scores, found one that is not a number", field="scores")


def lowest_threshold(answer: Answer, share: float = 1.0) -> float:
    """r_i: at this threshold and every higher one, `share` or more of the claims that are kept is right.

    Minus infinity where everything may be kept; the next number above the highest bad threshold otherwise.
    """
    bad = -math.inf
    for score in sorted(set(answer.scores)):
        kept = [right for its, right in zip(answer.scores, answer.right, strict=True) if its >= score]
        if sum(kept) < share * len(kept) - 1e-9:
            bad = score
    return math.nextafter(bad, math.inf) if bad > -math.inf else bad


def threshold(calibration: Sequence[Answer], error: float, share: float = 1.0) -> float:
    """The threshold that promises: with probability 1 - error, `share` or more of what is kept of an answer is right.

    Args:
        calibration: answers to prompts drawn as those to come are, one a prompt; none of them trained on.
        error: α, in (0, 1).
        share: a, in (0, 1].

    Returns:
        Claims scored this or more are kept; infinity (nothing is kept) where the prompts are too few for so small an
        error, ceil((n + 1)(1 - error)) > n.

    Raises:
        InputError: no prompts, or an error or share outside its interval.

    >>> rows = [Answer([0.9, 0.5], [True, False]), Answer([0.8, 0.7], [True, True]), Answer([0.6], [False])]
    >>> round(threshold(rows, error=0.5), 3)
    0.5
    """
    if not 0 < error < 1:
        raise InputError(f"expected an error between 0 and 1, both excluded, found {error}", field="error")
    if not 0 < share <= 1:
        raise InputError(f"expected a share above 0 and at most 1, found {share}", field="share")
    if not calibration:
        raise InputError("expected at least one calibration prompt, found none", field="calibration")
    # (n + 1)(1 - α) is 9.000000000000002 for n = 9 and α = 0.1, and must not become 10.
    number = math.ceil((len(calibration) + 1) * (1 - error) - 1e-9)
    if number > len(calibration):
        return math.inf
    return sorted(lowest_threshold(answer, share) for answer in calibration)[number - 1]


def keeps_promise(answer: Answer, at: float, share: float = 1.0) -> bool:
    """Whether of the claims scored `at` or more `share` or more is right; so where none is."""
    kept = [right for score, right in zip(answer.scores, answer.right, strict=True) if score >= at]
    return sum(kept) >= share * len(kept) - 1e-9


def answers(rows: Iterable[Scored], scores: dict[str, Sequence[float]]) -> list[Answer]:
    """Scored responses as `Answer`s, with the score of every fragment by the key of its response.

    Fragments that are neither right nor wrong promise nothing and are left out; so is a response with a failed one.

    Raises:
        InputError: two responses to one prompt (the promise is over prompts), a response without scores, or a number of
            scores other than its fragments'.
    """
    found, prompts = [], set()
    for row in rows:
        if row.failed:
            continue
        if row.prompt_key in prompts:
            raise InputError(f"expected one response a prompt, found two to {row.prompt_key}", field="prompt_key")
        prompts.add(row.prompt_key)
        its = scores.get(row.key, ())
        if len(its) != len(row.fragments):
            raise InputError(f"expected {len(row.fragments)} scores, found {len(its)} (key {row.key})", field="scores")
        decided = [(score, one.label == "correct") for score, one in zip(its, row.fragments, strict=True)
                   if one.label in ("correct", "incorrect")]  # fmt: skip
        found.append(Answer([score for score, _ in decided], [right for _, right in decided]))
    return found
