"""Back-off to a coarser fact, as in CSS (compositional selective specificity, arXiv 2604.17487), learnt from targets.

    "A is in East Africa." 0.4, "A is in Africa." 0.9     τ = 0.5: "A is in Africa."     τ = 0.3: "A is in East Africa."

Each fact is said as precisely as its probability allows: as it is where that is right with probability τ or more, else
its coarser form where that is, else not at all. CSS proposes coarser forms with a language model after generation. Here
only a part of a continent has one, because it follows from the words, and the model is fine-tuned on the result.
Probabilities are those of HALT per τ, by agreement (`self_consistency`): a response that says
the finer fact says the coarser one too. A coarser fact is right where a finer one is, or where a response to the prompt
says it rightly; a verdict that nobody has reached is not assumed. A chain of steps has no coarser forms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from rlhalt.records import HALT_PHRASE, Fragment, Scored, Target
from rlhalt.rewards import check_threshold
from rlhalt.statement import said_before, statement
from rlhalt.training_data.coarser import coarser
from rlhalt.training_data.pieces import compose, finished, target
from rlhalt.training_data.styles import CUTS, Style
from rlhalt.training_data.targets.halt_method import halt_per_tau
from rlhalt.training_data.targets.selection import by_prompt
from rlhalt.training_data.targets.self_consistency import by_agreement


def targets(rows: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """One target a prompt: of the response of which most can be said, what can be said at τ.

    Raises:
        InputError: τ outside (0, 1), or an unknown style.
    """
    check_threshold(threshold)
    if style in CUTS:
        made = halt_per_tau(rows, style, threshold, phrase)
        yield from (dataclasses.replace(one, style="back-off") for one in made)
        return
    groups = by_prompt(rows)
    coarse = [_coarse(group) for group in groups]
    fine_odds, coarse_odds = by_agreement(groups), by_agreement(coarse)
    for group, other in zip(groups, coarse, strict=True):
        sides = [
            _said(finished(row), finished(its), fine_odds[row.key], coarse_odds[row.key], threshold)
            for row, its in zip(group, other, strict=True)
        ]
        best = max(range(len(group)), key=lambda place: len(sides[place][1]))
        yield target(group[best], compose(group[best].response, *sides[best]) or phrase, "back-off")


def _said(
    fine: Sequence[Fragment], coarse: Sequence[Fragment], likely: list[float], likely_coarse: list[float], at: float
) -> tuple[list[Fragment], list[int]]:
    """The fragments of a response, each as precise as it may be, and the numbers of those that are said."""
    kept = [one.label == "correct" and p >= at for one, p in zip(fine, likely, strict=True)]
    backed = [one.label == "correct" and p >= at for one, p in zip(coarse, likely_coarse, strict=True)]
    texts = [one if keep else other for one, other, keep in zip(fine, coarse, kept, strict=True)]
    again = said_before(texts)
    return texts, [place for place in range(len(texts)) if (kept[place] or backed[place]) and not again[place]]


def _coarse(group: Sequence[Scored]) -> list[Scored]:
    """Responses to one prompt with coarser fragments; what has no coarser form stays as it is."""
    right = {statement(one) for row in group for one in finished(row) if one.label == "correct"}

    def made(one: Fragment) -> Fragment:
        text = None if one.label == "halt" else coarser(one.claim or one.text)
        if text is None:
            return one
        found = dataclasses.replace(one, text=text, claim=None)
        known = one.label == "correct" or statement(found) in right
        return dataclasses.replace(found, label="correct" if known else "unverifiable")

    return [dataclasses.replace(row, fragments=[made(one) for one in row.fragments]) for row in group]
