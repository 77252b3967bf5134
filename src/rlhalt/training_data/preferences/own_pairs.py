"""Best against worst of the model's own responses: iterated and online DPO's pairs, with the verifier as the judge.

    responses earn 0.5, 1.0 and -0.5 at τ  →  the second ≻ the third

Both sides come from one model, as in Self-Rewarding Language Models (Yuan et al., arXiv 2401.10020) and in the
single-model pairs of "More is Less" (arXiv 2504.02193), which `other-chosen` is compared with. The papers rank by a
judge or a reward model, here it is the τ-utility. It acts per response; both responses may hold right and wrong
fragments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.training_data.preferences.two_responses import best_against_worst
from rlhalt.training_data.styles import Style


def pairs(rows: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """At most one pair a prompt."""
    rows = list(rows)
    return best_against_worst(rows, rows, style, threshold, "own-pairs", phrase)
