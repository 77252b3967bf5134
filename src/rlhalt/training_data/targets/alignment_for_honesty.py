"""Alignment for Honesty (arXiv 2312.07000, §4.2): four ways to make targets of m responses to a prompt.

The paper asks for one short answer, right or wrong. An answer of several fragments is as right as the share of its
right ones among right and wrong ones; the mean of that over the m responses is the *expected accuracy* of the prompt,
which for one fragment is the paper's. Where it calls for a correct response, that is the most correct one, then the one
with the most right fragments, then the first. Its refusal is the domain's halting phrase, so that scoring knows it as
a halt, and its expressions of confidence are sentences of their own before the answer, so that no fragment is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rlhalt.fragments.stated_confidence import VERBAL, percent
from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.training_data.pieces import finished, right, target, whole, wrong
from rlhalt.training_data.targets.selection import by_prompt, correctness

UNKNOWN = 0.1  # expected accuracy below which ABSOLUTE refuses, as in the paper


def expected_accuracy(group: Sequence[Scored]) -> float | None:
    """The mean correctness of a prompt's responses; None where none has a right or a wrong fragment."""
    found = [value for row in group if (value := correctness(row)) is not None]
    return sum(found) / len(found) if found else None


def most_correct(group: Sequence[Scored]) -> Scored:
    """Of a prompt's responses the most correct one, then the one with the most right fragments, then the first."""
    return max(group, key=lambda row: (correctness(row) or 0.0, len(right(finished(row)))))


def _answers(rows: Iterable[Scored]) -> Iterator[tuple[Scored, str, float]]:
    """For each prompt its most correct response, the text of that, and the expected accuracy."""
    for group in by_prompt(rows):
        accuracy = expected_accuracy(group)
        if accuracy is not None:
            row = most_correct(group)
            yield row, "".join(whole(row)), accuracy


def absolute(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """ABSOLUTE: the answer where the expected accuracy is 0.1 or more, else the refusal."""
    for row, answer, accuracy in _answers(rows):
        yield target(row, answer if accuracy >= UNKNOWN else phrase, "absolute")


def confidence_num(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """CONFIDENCE-NUM: the expected accuracy in tenths before the answer; the refusal where it is zero tenths."""
    for row, answer, accuracy in _answers(rows):
        tenths = _tenths(accuracy)
        text = f"{percent(10 * tenths)} {answer}" if tenths else phrase
        yield target(row, text, "confidence-num")


def confidence_verb(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """CONFIDENCE-VERB: one of five wordings before the answer; the refusal where accuracy is zero tenths."""
    for row, answer, accuracy in _answers(rows):
        tenths = _tenths(accuracy)
        text = f"{VERBAL[(tenths - 1) // 2]} {answer}" if tenths else phrase
        yield target(row, text, "confidence-verb")


def _tenths(accuracy: float) -> int:
    # The paper's m is 10, so that its expected accuracies are tenths already.
    return round(10 * accuracy)


def multisample(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """MULTISAMPLE: all m responses; one with a wrong fragment, or without a right one, becomes the refusal."""
    for group in by_prompt(rows):
        for row in group:
            fragments = finished(row)
            good = right(fragments) and not wrong(fragments)
            yield target(row, "".join(whole(row)) if good else phrase, "multisample")
