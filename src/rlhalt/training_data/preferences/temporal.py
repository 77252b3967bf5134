"""Temporal Self-Rewarding (arXiv 2508.06026): the future model's best response against the first model's worst.

    the trained model's responses earn 1.0 and 0.5, the first model's 0.5 and -0.5  →  the 1.0 ≻ the -0.5

In self-rewarding rounds both sides get better together, and the difference that teaches fades. Here the rejected side
is anchored to the first model (the past), and the chosen side comes from the next model (the future), a preliminary DPO
training on anchored pairs. A chosen side is replaced only where the future model's is better, so the best of both
models' responses is taken. The paper ranks by the model as its own judge, here it is the τ-utility. It acts per
response.

    rlhalt pairs --scored base/scored.jsonl --preferences own-pairs …      the preliminary training
    rlhalt pairs --scored base/scored.jsonl --preferences temporal --others next/scored.jsonl …
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.training_data.preferences.two_responses import best_against_worst
from rlhalt.training_data.styles import Style


def pairs(
    rows: Iterable[Scored], others: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE
) -> Iterator[Pair]:
    """At most one pair a prompt; `rows` are the first model's, `others` the next model's, to the same prompts."""
    past = list(rows)
    return best_against_worst([*past, *others], past, style, threshold, "temporal", phrase)
