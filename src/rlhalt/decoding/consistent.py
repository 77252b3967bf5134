"""The most consistent of N samples: the one whose fragments most of the other samples say too.

Semantic consistency (Raj et al., arXiv 2308.09138) compares a model's own answers with each other by meaning; its
Ask-to-Choose (A2C) then has the model name the best of them. The small models here cannot be relied on for that (asked
how two statements relate, SmolLM2 says "Neither" of all, docs/uncertainty.md), so the comparison itself chooses, as
minimum Bayes risk decoding does:

    score(y) = the mean over the fragments of y of the share of the other samples that entail it

Fragments are compared as `rlhalt.uncertainty.agreement` does it. No label and no other model is asked. A mean, because
a sum would prefer the longest sample. A sample without a fragment has the score 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhalt.decoding.candidates import Chosen
from rlhalt.decoding.setup import Setup
from rlhalt.fragments.stated_confidence import is_confidence
from rlhalt.records import Scored
from rlhalt.uncertainty.agreement import agreements
from rlhalt.uncertainty.nli import lexical

if TYPE_CHECKING:
    from rlhalt.sampling.local import TransformersEngine


def engine(inner: TransformersEngine, setup: Setup) -> Chosen:
    """The engine that gives the most consistent sample."""
    return Chosen(inner, setup, consistency)


def consistency(rows: Sequence[Scored]) -> list[float]:
    """How much of each response the others support, in [0, 1]; halts and stated confidences are no claims."""
    found = []
    for row, each in zip(rows, agreements(rows, lexical), strict=True):
        shares = [
            one.support
            for one, fragment in zip(each, row.fragments, strict=True)
            if fragment.kind != "halt" and not is_confidence(fragment)
        ]
        found.append(sum(shares) / len(shares) if shares and len(rows) > 1 else 0.0)
    return found
