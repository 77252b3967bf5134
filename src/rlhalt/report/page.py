"""One self-contained HTML page from a comparison and the responses behind it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from rlhalt.evaluation import tables
from rlhalt.evaluation.comparison import Comparison, Evaluation
from rlhalt.evaluation.metrics import DEFINITIONS
from rlhalt.records import Fragment, Scored, write_atomic
from rlhalt.report import plots, summary

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
    threshold: float | None
    pieces: list[Piece]

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
    for key, row in answers["base"].items():
        columns: dict[str, list[Answer]] = {}
        for label in comparison.models:
            answer = Answer(label, first[label].threshold, list(pieces(answers[label][key])))
            columns.setdefault(first[label].name, []).append(answer)
        question = next((m["content"] for m in reversed(row.prompt) if m["role"] == "user"), row.prompt[-1]["content"])
        shown.append(Example(question, columns))
    return shown


def unbroken(sentence: str) -> str:
    """No line break within `τ = 0.5` and before `%`."""
    return sentence.replace("τ = ", "τ\u00a0=\u00a0").replace(" %", "\u00a0%")


def render(comparison: Comparison, evaluations: Sequence[Evaluation]) -> str:
    """The page as text."""
    folder = files("rlhalt.report")
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(folder.joinpath("page.html.j2").read_text(encoding="utf-8"))
    confidences = list(dict.fromkeys(one.confidence for one in comparison.calibrations))
    featured = summary.featured(comparison)
    return template.render(
        comparison=comparison,
        several_seeds=any(len(one.seeds) > 1 for one in comparison.metrics),
        style=Markup(style),
        script=Markup(script),
        # Only this very script may run on the page, whatever a response contains.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        caption=tables.caption(comparison),
        sentences=[unbroken(sentence) for sentence in summary.sentences(comparison)],
        rows={decoding: tables.rows(comparison, decoding) for decoding in comparison.decodings},
        definitions=DEFINITIONS,
        legend=plots.legend(comparison),
        trade_offs={decoding: plots.trade_off(comparison, decoding) for decoding in comparison.decodings},
        utilities=plots.utilities(comparison),
        calibrations=[
            (
                summary.CONFIDENCES[name],
                [plots.reliability(comparison, one) for one in comparison.calibrations if one.confidence == name],
                plots.risk_coverage(comparison, name),
                [one for one in comparison.calibrations if one.confidence == name],
            )
            for name in confidences
        ],
        cell=tables.cell,
        number=tables.number,
        percent=tables.percent,
        examples=examples(comparison, evaluations),
        featured=comparison.get(featured, comparison.decodings[0]),
        verdicts=VERDICTS,
    )


def write_report(comparison: Comparison, evaluations: Sequence[Evaluation], path: str | Path) -> None:
    """Write the page: summary, table, figures, calibration, and every held-out prompt with the models' answers.

    Args:
        evaluations: those that the comparison was made from; the answers are theirs.
    """
    write_atomic(path, [render(comparison, evaluations)])
