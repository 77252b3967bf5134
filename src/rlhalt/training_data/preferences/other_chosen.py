"""More is Less (arXiv 2504.02193): another model's best response against the model's own worst.

    another model's responses earn 1.0 and 0.5, the model's own 0.5 and -0.5  →  the 1.0 ≻ the -0.5

The paper finds that a stronger model's chosen side is separated from the own rejected side by its manner, which DPO
learns in place of what matters, and that the model's own best response teaches more. This is its multi-model pair, and
`own-pairs` its single-model pair. The paper ranks by a reward model, here it is the τ-utility. It acts per response.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.training_data.preferences.two_responses import best_against_worst
from rlhalt.training_data.styles import Style


def pairs(
    rows: Iterable[Scored], others: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE
) -> Iterator[Pair]:
    """At most one pair a prompt; `others` are scored responses of the other model to the same prompts."""
    return best_against_worst(others, rows, style, threshold, "other-chosen", phrase)
