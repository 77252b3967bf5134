"""Mask-DPO (arXiv 2503.02846): loss on right sentences of the chosen and wrong ones of the rejected side.

    chosen      [A is in Asia.] Its capital is B. [Its currency is C.]      the first and the third are right
    rejected    A is in Asia. [Its capital is D.] [It borders Spain.]       the last two are wrong

The better response has errors too, and the worse one says right things; DPO would raise the former and lower the
latter. Here both are read as context, and the log-ratios are summed over the sentences in brackets alone: log π(y) of
DPO becomes Σ_t m_t log π(y_t | y_<t) with m_t = 1 in them and 0 elsewhere. The paper
takes the most and the least factual of several samples by an annotator model, here the verifier judges.

It acts per fragment, on pairs of responses: at most one pair a prompt, none where no response is more correct than
another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.training_data.pieces import finished, reasoning, right, whole, wrong
from rlhalt.training_data.preferences.two_responses import against
from rlhalt.training_data.targets.selection import by_prompt, correctness


def spans(row: Scored, kept: Collection[int]) -> list[list[int]]:
    """Where some of a response's fragments stand in its side of a pair: [start, end) in characters."""
    found, end = [], len(reasoning(row))
    for index, (piece, one) in enumerate(zip(whole(row), finished(row), strict=True)):
        end += len(piece)
        if index in kept:
            found.append([end - len(one.text), end])
    return found


def pairs(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """The most correct response to each prompt ≻ the least correct one; of equal ones the first."""
    for group in by_prompt(rows):
        ranked = [(value, row) for row in group if (value := correctness(row)) is not None]
        if ranked:
            (most, better), (least, worse) = (pick(ranked, key=lambda one: one[0]) for pick in (max, min))
            if most > least:
                for one in against(better, worse, "mask-dpo", phrase=phrase):
                    yield dataclasses.replace(
                        one,
                        chosen_spans=spans(better, right(finished(better))),
                        rejected_spans=spans(worse, wrong(finished(worse))),
                    )
