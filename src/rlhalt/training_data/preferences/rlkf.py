"""RLKF (arXiv 2403.18349): speak where the model knows, refuse where it does not; the pairs, without the PPO.

    known (right in 6 of 8 samples, τ = 0.5)      B is the capital.  ≻  Unsure from here.      if B is right
    unknown (right in 2 of 8 samples)             Unsure from here.  ≻  C is the capital.      if C is wrong

The paper samples a prompt N times, takes the share of right answers as the model's knowledge of it, trains a reward
model on such pairs and the policy by PPO. DPO on the same pairs needs no reward model. A right answer of an unknown
prompt and a wrong one of a known prompt make no pair: luck is not taught. The boundary is τ.

- One fact per response, or a chain: per response. In a chain the refusal side keeps the steps before the error.
- Many facts per response: per fragment, with the style's pairs. A fragment's knowledge is its probability by agreement
  (`rlhalt.training_data.targets.self_consistency`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from rlhalt.records import HALT_PHRASE, Pair, Scored, content_key
from rlhalt.rewards import check_threshold
from rlhalt.training_data import styles
from rlhalt.training_data.pieces import finished, pair, whole
from rlhalt.training_data.styles import CUTS, Style
from rlhalt.training_data.targets import self_consistency
from rlhalt.training_data.targets.selection import by_prompt, correctness, one_answer


def pairs(rows: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """The pairs at τ, each of weight 1.

    Raises:
        InputError: τ outside (0, 1), or an unknown style.
    """
    check_threshold(threshold)
    styles.check_style(style)
    groups = by_prompt(rows)
    likely = self_consistency.by_agreement(groups)
    for group in groups:
        if all(one_answer(row, style) for row in group):
            yield from _whole(group, style, threshold, phrase)
        else:
            sifted = (_sifted(row, likely[row.key], threshold) for row in group)
            for one in styles.pairs(sifted, threshold, style, phrase):
                yield dataclasses.replace(one, key=content_key(one.key, "rlkf"), weight=1.0, style="rlkf")


def _whole(group: Sequence[Scored], style: Style, threshold: float, phrase: str) -> Iterator[Pair]:
    decided = [row for row in group if correctness(row) is not None]
    share = sum(correctness(row) == 1 for row in decided) / max(len(decided), 1)
    for row in decided:
        if (correctness(row) == 1) != (share >= threshold):
            continue
        stopped = (styles.ideal(row, style, phrase),) if style in CUTS else (phrase,)
        sides = (whole(row), (phrase,)) if share >= threshold else (stopped, whole(row))
        made = pair(row, *sides, weight=1.0, style="rlkf", threshold=threshold, decides=-1)
        if not made.same_sides:
            yield made


def _sifted(row: Scored, likely: Sequence[float], threshold: float) -> Scored:
    """The response with what is right by luck or wrong by accident made undecided; for making pairs of, only."""
    fragments = [
        dataclasses.replace(one, label="unverifiable")
        if one.label in ("correct", "incorrect") and (one.label == "correct") != (probability >= threshold)
        else one
        for one, probability in zip(finished(row), likely, strict=True)
    ]
    return dataclasses.replace(row, fragments=[*fragments, *row.fragments[len(fragments) :]])
