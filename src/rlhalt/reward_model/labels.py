"""Which tokens have a label: the last token of each decided fragment, and no other.

    … Its   capital  is  Nairobi  .   It   is   in   Asia   .
      –     –        –   –        1   –    –    –    –      0

The last token is the first one that has read the whole fragment, so a model of the language can judge it there in one
pass over the response. Process reward models are labelled in the same place (Lightman et al., arXiv 2305.20050;
Obeso et al., arXiv 2509.03531, for spans).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rlhalt.chat.templates import Template
from rlhalt.chat.token_spans import fragment_tokens
from rlhalt.fragments.stated_confidence import is_confidence
from rlhalt.records import Fragment, Message, Scored
from rlhalt.rewards import Halting

IGNORED = -100
"""The label of a token that has none, as the losses of PyTorch and transformers take it."""


def fragment_labels(fragments: Sequence[Fragment], halting: Halting) -> list[int | None]:
    """1 for a correct fragment, 0 for an incorrect one, None for one without a label.

    Halts, unverifiable fragments and failed ones have none. In a causal domain what follows the first error rests on
    it, and after a failed fragment nobody knows whether it was one: neither has a label.

    >>> marks = ("correct", "unverifiable", "incorrect", "correct")
    >>> steps = [Fragment(at, at + 1, "step", "abcd"[at], mark) for at, mark in enumerate(marks)]
    >>> fragment_labels(steps, "independent"), fragment_labels(steps, "causal")
    ([1, None, 0, 1], [1, None, 0, None])
    """
    labels: list[int | None] = []
    open_ = True
    for one in fragments:
        decided = open_ and one.label in ("correct", "incorrect")
        labels.append(int(one.label == "correct") if decided else None)
        if halting == "causal" and (one.label is None or one.label == "incorrect"):
            open_ = False
    return labels


def unverifiable_as_incorrect(row: Scored) -> Scored:
    """The response with every unverifiable claim as an incorrect one.

    A reward model that has learnt from decided fragments alone knows no third kind, and a policy that is trained on it
    may learn to say what no reference speaks of (docs/reward-model.md has the figures).
    """
    changed = [
        dataclasses.replace(one, label="incorrect") if one.label == "unverifiable" and not is_confidence(one) else one
        for one in row.fragments
    ]
    return dataclasses.replace(row, fragments=changed)


def up_to_last_label(row: Scored, halting: Halting) -> Scored:
    """The response without the fragments behind the last one with a label: nothing can be learnt or measured there.

    In a causal domain that is all that follows the first error, and need not be read.
    """
    labels = fragment_labels(row.fragments, halting)
    count = max((place for place, label in enumerate(labels, start=1) if label is not None), default=0)
    return dataclasses.replace(row, fragments=row.fragments[:count])


@dataclasses.dataclass(frozen=True)
class Reading:
    """One response as a model reads it.

    Attributes:
        ids: the tokens of prompt and response, up to the last one that is asked about.
        spans: of each fragment the positions [first, after last) of its tokens; (0, 0) where it has none, or where it
            lies beyond what the model can read.
    """

    ids: list[int]
    spans: list[tuple[int, int]]

    @property
    def places(self) -> list[int]:
        """The position of the last token of each fragment; -1 where it has none."""
        return [high - 1 for _, high in self.spans]

    def token_labels(self, labels: Sequence[int | None]) -> list[int]:
        """One label a token, `IGNORED` for all but the last token of a fragment with a label.

        Args:
            labels: one a fragment, see `fragment_labels`.
        """
        found = [IGNORED] * len(self.ids)
        for place, label in zip(self.places, labels, strict=True):
            if place >= 0 and label is not None:
                found[place] = label
        return found


def reading(
    tokenizer: Any,
    template: Template,
    prompt: Sequence[Message],
    response: str,
    fragments: Sequence[Fragment],
    longest: int | None = None,
) -> Reading:
    """The tokens of prompt and response, and where the fragments lie in them.

    The prompt is rendered as it is asked, without few-shot examples, so that answers of any model are read alike.

    Args:
        tokenizer: a fast tokenizer.
        template: its chat template.
        fragments: of the response, by their character offsets.
        longest: how many tokens the model can read; fragments that end behind them have no tokens.
    """
    ids, spans = fragment_tokens(tokenizer, template.before(prompt, response), response, fragments)
    most = len(ids) if longest is None else longest
    spans = [(low, high) if high <= most else (0, 0) for low, high in spans]
    return Reading(ids[: max((high for _, high in spans), default=0)], spans)
