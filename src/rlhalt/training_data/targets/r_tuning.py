"""R-Tuning (arXiv 2311.09677): "I am sure." or "I am unsure." after what is said.

    The response "A is in Asia. Its capital is B.", of which the second sentence is wrong:

    A is in Asia. I am sure. Its capital is B. I am unsure.

The paper asks for one short answer, compares one prediction of the model with the gold answer, and appends "I am sure."
where they agree and "I am unsure." where not. Here the prediction is the first response.

- One fact per response, or a chain whose steps rest on each other: per response. The answer before the words is the
  gold one, as in the paper, where the reference has one, else the response itself.
- Many facts per response: per fragment. Each right or wrong fragment of the response is followed by the words.

The paper also asks "Are you sure?" between the answer and the words, without loss; a target has no such place, so
the words follow the answer. They are neither halts nor claims (`rlhalt.fragments.stated_confidence`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.fragments.stated_confidence import SURE, UNSURE
from rlhalt.records import Scored, Target
from rlhalt.training_data.pieces import finished, right, target, whole, wrong
from rlhalt.training_data.styles import Style
from rlhalt.training_data.targets.reference import answer
from rlhalt.training_data.targets.selection import by_prompt, correctness, one_answer


def targets(rows: Iterable[Scored], style: Style) -> Iterator[Target]:
    """One target a prompt; none where nothing in its first response is right or wrong."""
    for group in by_prompt(rows):
        row = group[0]
        if correctness(row) is not None:
            yield target(row, _appended(row) if one_answer(row, style) else _marked(row), "r-tuning")


def _appended(row: Scored) -> str:
    text = answer(row) or "".join(whole(row))
    return f"{text} {UNSURE if wrong(finished(row)) else SURE}"


def _marked(row: Scored) -> str:
    words = dict.fromkeys(right(finished(row)), f" {SURE}") | dict.fromkeys(wrong(finished(row)), f" {UNSURE}")
    return "".join(piece + words.get(index, "") for index, piece in enumerate(whole(row)))
