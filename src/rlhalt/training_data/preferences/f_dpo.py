"""F-DPO (arXiv 2601.03027): a preference flipped where its chosen side is less factual, with a margin.

    preferred (says more)          h   other                h   pair
    5 facts, one of them wrong     1   3 facts, all right   0   flipped: the other ≻ the preferred, margin λ
    5 facts, all right             0   3 facts, one wrong   1   as it is, margin λ
    5 facts, one wrong             1   3 facts, one wrong   1   as it is, margin 0

The paper starts from preferences that do not look at truth (Skywork, by people and models), labels both sides factual
(h = 0) or not (h = 1), flips the pair where the chosen side has h = 1 and the rejected one 0, and trains with

    -log σ(β (m - λ (h_rejected - h_chosen))),   m the difference of log-ratios of DPO

Nobody's preferences are here. What stands for them is the taste that people's preferences are known for: the response
that says more, by the number of its claims. λ is `MARGIN`. It acts per response, h = 1 where a fragment is wrong; every
two responses to a prompt that differ in length or in h make a pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.training_data.pieces import claims, finished, wrong
from rlhalt.training_data.preferences.two_responses import against
from rlhalt.training_data.targets.selection import by_prompt, correctness

MARGIN = 1.0
"""λ: how much more the log-ratios have to differ where one side is factual and the other is not."""


def pairs(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """Every pair of two responses to one prompt in which something is right or wrong."""
    for group in by_prompt(rows):
        ranked = [(bool(wrong(finished(row))), -len(claims(row)), row) for row in group if correctness(row) is not None]
        for one, other in itertools.combinations(ranked, 2):
            if one[:2] != other[:2]:
                better, worse = sorted((one, other), key=lambda its: its[:2])
                margin = MARGIN if better[0] != worse[0] else 0.0
                yield from against(better[2], worse[2], "f-dpo", phrase=phrase, margin=margin)
