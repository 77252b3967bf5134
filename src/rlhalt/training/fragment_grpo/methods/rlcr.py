"""RLCR (arXiv 2507.16806): an answer with a stated confidence q is paid 1[right] - (q - 1[right])².

    "I am about 80% sure of this answer. B."      right: 1 - 0.04 = 0.96      wrong: 0 - 0.64 = -0.64

The second term is the Brier score, a proper one: whatever the answer, the best q is the probability that it is right.
The paper asks for the confidence in tags and pays for the format; here it is the first percentage of the response, as
`confidence-num` (Alignment for Honesty) teaches to say it: start from that model. A response without one is paid as if
with the worst q. A refusal claims nothing and is paid as a wrong answer, because RLCR knows no refusal.

It acts per response; for many facts the share of right ones stands in place of 1[right].
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlhalt.training.fragment_grpo.methods.judged import Judged

_PERCENT = re.compile(r"(?<![\d.])(\d{1,3})(?:\.\d+)?\s?%")


def stated(one: Judged) -> float | None:
    """The confidence that a response states, in [0, 1]; None where it states none."""
    for fragment in one.fragments:
        # A percentage in a claim that was judged is a fact, and no confidence.
        if fragment.label == "unverifiable" and (found := _PERCENT.search(fragment.text)):
            value = int(found[1]) / 100
            return value if value <= 1 else None
    return None


def rewards(group: Sequence[Judged]) -> list[float | None]:
    """A reward a response."""
    return [_reward(one) for one in group]


def _reward(one: Judged) -> float | None:
    if one.failed:
        return None
    right, q = one.correctness or 0.0, stated(one)
    return right - (max(right, 1 - right) if q is None else abs(q - right)) ** 2
