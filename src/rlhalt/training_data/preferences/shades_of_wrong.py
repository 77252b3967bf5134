"""Varying Shades of Wrong (arXiv 2410.11055): less wrong against more wrong, with wrong responses alone.

    3 of 4 facts right  ≻  1 of 4 right;  4 of 4 right is in no pair

The paper asks whether a model learns from pairs of which both sides are wrong. It ranks wrong answers by proxies:
self-consistency, token probabilities, a judge.

- Many facts per response: the rank is the share of right ones among the right and wrong fragments.
- One fact per response, or all equally wrong: the rank is self-consistency, the mean share of the N responses that
  state the same (`rlhalt.statement`).

It acts per response: every two wrong responses to a prompt of which one ranks higher make a pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.training_data.pieces import claims, finished, wrong
from rlhalt.training_data.preferences.two_responses import against
from rlhalt.training_data.targets.selection import by_prompt, correctness
from rlhalt.training_data.targets.self_consistency import agreement


def pairs(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """Every pair of two wrong responses to one prompt."""
    for group in by_prompt(rows):
        shares = agreement(group)
        bad = [
            (correctness(row) or 0.0, sum(its[at] for at in claims(row)) / len(claims(row)), row)
            for row, its in zip(group, shares, strict=True)
            if wrong(finished(row))
        ]
        by_truth = len({share for share, _, _ in bad}) > 1
        ranked = [(share if by_truth else consistent, row) for share, consistent, row in bad]
        for (one, first), (other, second) in itertools.combinations(ranked, 2):
            if one != other:
                better, worse = (first, second) if one > other else (second, first)
                yield from against(better, worse, "shades-of-wrong", phrase=phrase)
