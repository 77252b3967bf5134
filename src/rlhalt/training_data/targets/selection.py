"""Which of a prompt's N responses become targets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, get_args

from rlhalt.errors import InputError
from rlhalt.records import Scored
from rlhalt.reference import n_asked
from rlhalt.rewards import Halting, response_reward
from rlhalt.training_data.pieces import claims, finished, right, usable, wrong
from rlhalt.training_data.styles import CUTS, Style

Reading = Literal["ascending", "descending"]


def by_prompt(rows: Iterable[Scored]) -> list[list[Scored]]:
    """The responses that can be learnt from (`usable`), prompt by prompt, in the order given."""
    groups: dict[str, list[Scored]] = {}
    for row in rows:
        if usable(row):
            groups.setdefault(row.prompt_key, []).append(row)
    return list(groups.values())


def correctness(row: Scored) -> float | None:
    """The share of right ones among a response's right and wrong fragments; None where it has neither."""
    fragments = finished(row)
    n_right, n_wrong = len(right(fragments)), len(wrong(fragments))
    return n_right / (n_right + n_wrong) if n_right + n_wrong else None


def one_answer(row: Scored, style: Style) -> bool:
    """Whether a response is one answer and not a list of facts: a single claim, or a chain (a style that cuts)."""
    return style in CUTS or len(claims(row)) <= 1


def reward(row: Scored, style: Style, threshold: float) -> float | None:
    """The τ-utility of a response, see `rlhalt.rewards.response_reward`; styles that cut are causal.

    None where a fragment has no verdict.
    """
    halting: Halting = "causal" if style in CUTS else "independent"
    return response_reward(finished(row), threshold, halting, n_asked(row.reference))


def rewarded(group: Iterable[Scored], style: Style, threshold: float) -> list[tuple[float, Scored]]:
    """The responses whose reward is known, each with its reward, in the order given."""
    return [(found, row) for row in group if (found := reward(row, style, threshold)) is not None]


def best(rows: Iterable[Scored], share: float) -> list[Scored]:
    """Of each prompt's responses the share with the most right fragments, at least one; in the order given.

    Rejection sampling: a target that says all the model knows keeps completeness up, where HALT's ranking by mean
    correctness prefers short answers.

    Raises:
        InputError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise InputError(f"expected a share above 0 and at most 1, found {share}", field="best")
    rows = list(rows)
    place = {row.key: index for index, row in enumerate(rows)}
    kept = [
        row
        for group in by_prompt(rows)
        for row in sorted(group, key=lambda one: -len(right(finished(one))))[: _number(share, len(group))]
    ]
    return sorted(kept, key=lambda one: place[one.key])


def at_percentile(rows: Iterable[Scored], percentile: float, reading: Reading) -> list[Scored]:
    """Of each prompt's N responses the one that HALT takes (arXiv 2506.04051, §3): number ceil(αN) by correctness.

    The paper ranks by mean correctness and leaves open from which end it counts, so both readings have a name:
    `ascending` counts from the least correct response, so that a small α is conservative (little is left of it when it
    has been cut), `descending` from the most correct. Responses of equal correctness stand in the order given, those
    without a right or wrong fragment have no rank, and a prompt with none that has one gives nothing.

    Args:
        percentile: α, in (0, 1].

    Raises:
        InputError: α outside (0, 1], or an unknown reading.
    """
    if not 0 < percentile <= 1:
        raise InputError(f"expected a percentile above 0 and at most 1, found {percentile}", field="percentile")
    if reading not in get_args(Reading):
        raise InputError(f"expected ascending or descending, found '{reading}'", field="reading")
    sign = 1 if reading == "ascending" else -1
    chosen = []
    for group in by_prompt(rows):
        ranked = [(sign * value, row) for row in group if (value := correctness(row)) is not None]
        ranked.sort(key=lambda one: one[0])
        if ranked:
            chosen.append(ranked[_number(percentile, len(ranked)) - 1][1])
    return chosen


def _number(share: float, n: int) -> int:
    # 0.55 · 20 is 11.000000000000002, which is not to be rounded up to 12.
    return math.ceil(share * n - 1e-9)
