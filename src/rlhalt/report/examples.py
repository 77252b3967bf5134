"""Every held-out prompt with what each model answered, fragment by fragment."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from rlhalt.evaluation.comparison import Comparison
from rlhalt.evaluation.folder import Evaluation
from rlhalt.records import Fragment, Scored

VERDICTS = ("correct", "incorrect", "unverifiable", "halt", "failed")


@dataclasses.dataclass(frozen=True)
class Piece:
    """A stretch of a response; `verdict` is empty for text between fragments and for fragments not judged."""

    text: str
    verdict: str
    evidence: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one model answered to one prompt."""

    model: str
    name: str
    threshold: float | None
    pieces: list[Piece]

    @property
    def verdicts(self) -> list[str]:
        """The verdicts there are, each once."""
        return [one for one in VERDICTS if self.n(one)]

    def n(self, verdict: str) -> int:
        """Fragments with this verdict."""
        return sum(piece.verdict == verdict for piece in self.pieces)


@dataclasses.dataclass(frozen=True)
class Example:
    """A prompt and its answers, grouped by the name of the model, in the order shown."""

    question: str
    columns: dict[str, list[Answer]]


def verdict(fragment: Fragment) -> str:
    """The label, `failed`, or nothing where the fragment was not judged."""
    return "failed" if fragment.failed else fragment.label or ""


def pieces(row: Scored) -> Iterator[Piece]:
    """The response in stretches, nothing lost: fragments and what lies between them."""
    at = 0
    for fragment in row.fragments:
        if fragment.start > at:
            yield Piece(row.response[at : fragment.start], "", "")
        # Fragments may overlap in a domain that nests them: show every character once.
        text = row.response[max(at, fragment.start) : fragment.end]
        if text:
            yield Piece(text, verdict(fragment), fragment.error or fragment.evidence or "")
        at = max(at, fragment.end)
    if at < len(row.response):
        yield Piece(row.response[at:], "", "")


def examples(comparison: Comparison, evaluations: Sequence[Evaluation]) -> list[Example]:
    """Every prompt with the first response of every model's first seed: the greedy one, where there is one."""
    decoding = comparison.decodings[0]
    first: dict[str, Evaluation] = {}
    for one in sorted(evaluations, key=lambda e: e.seed):
        first.setdefault(one.label, one)
    answers: dict[str, dict[str, Scored]] = {}
    for label in comparison.models:
        answers[label] = {}
        for row in first[label].rows(decoding):
            answers[label].setdefault(row.prompt_key, row)
    shown = []
    for key, row in answers[comparison.base].items():
        columns: dict[str, list[Answer]] = {}
        for label in comparison.models:
            answer = Answer(label, first[label].name, first[label].threshold, list(pieces(answers[label][key])))
            columns.setdefault(first[label].name, []).append(answer)
        question = next((m["content"] for m in reversed(row.prompt) if m["role"] == "user"), row.prompt[-1]["content"])
        shown.append(Example(question, columns))
    return shown
