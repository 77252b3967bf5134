"""How likely a fragment is to be right, estimated from a prompt's N responses; never from its own verdict alone.

What a model has said once may be luck. Two estimates, for two kinds of domain:

- By agreement, where facts stand by themselves: how many of the N responses state the same fact, see `rlhalt.statement`
  (self-consistency, the frequency score of arXiv 2402.10978), turned into odds by how often facts stated by so many
  responses are right, over all prompts.
- By position, where what follows rests on what came before: of the N responses that are right so far, the share whose
  next fragment is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rlhalt.pairs.pieces import finished, until_wrong
from rlhalt.records import Scored
from rlhalt.statement import statement


def by_agreement(groups: Sequence[Sequence[Scored]]) -> dict[str, list[float]]:
    """For each response, by key, the odds of its finished fragments.

    Facts that k of N responses state share one estimate, (right + 1) / (right + wrong + 2) over all prompts.

    Args:
        groups: the responses to each prompt, none with a failed fragment.
    """
    shares = {row.key: found for group in groups for row, found in zip(group, agreement(group), strict=True)}
    counts: Counter[tuple[float, bool]] = Counter()
    for row in (row for group in groups for row in group):
        for fragment, share in zip(finished(row), shares[row.key], strict=True):
            if fragment.label in ("correct", "incorrect"):
                counts[share, fragment.label == "correct"] += 1
    odds = {
        share: (counts[share, True] + 1) / (counts[share, True] + counts[share, False] + 2)
        for found in shares.values()
        for share in found
    }
    return {key: [odds[share] for share in found] for key, found in shares.items()}


def agreement(group: Sequence[Scored]) -> list[list[float]]:
    """For each response to one prompt, the share of the responses that state the same fact, for each fragment."""
    stated = [[statement(one) for one in finished(row)] for row in group]
    responses = Counter(fact for facts in stated for fact in set(facts))
    return [[responses[fact] / len(group) for fact in facts] for facts in stated]


def by_position(groups: Sequence[Sequence[Scored]]) -> dict[str, list[float]]:
    """For each response, by key, the odds of its fragments up to the first wrong one.

    Fragment i has the share, among the prompt's responses whose first i fragments are not wrong and that go on, of
    those whose next one is not wrong either.
    """
    found = {}
    for group in groups:
        stops = [(until_wrong(finished(row)), len(finished(row))) for row in group]
        for row, (stop, _) in zip(group, stops, strict=True):
            found[row.key] = [
                sum(its > index for its, _ in stops) / sum(its >= index and length > index for its, length in stops)
                for index in range(stop)
            ]
    return found
