"""Where each model halts: how many facts it states, how often the k-th of them is right, and how its responses end."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.tables import percent
from rlhalt.records import Scored
from rlhalt.report import svg
from rlhalt.report.palette import of
from rlhalt.report.svg import Axis

ENDINGS = ("says that it halts", "simply ends", "is cut off", "says nothing")
# A share of fewer facts would jump about.
ENOUGH = 20
MOST = 40


@dataclasses.dataclass(frozen=True)
class Halting:
    """One model's responses of one decoding, all seeds together.

    Attributes:
        n: responses.
        reaching: the share of responses that state a k-th fact, from k = 1.
        right: the share correct of the decided k-th facts, None where there are fewer than `ENOUGH`.
        endings: the share of responses by how they end, one of `ENDINGS`.
    """

    model: str
    n: int
    reaching: list[float]
    right: list[float | None]
    endings: dict[str, float]


def halting(model: str, evaluations: Sequence[Evaluation], decoding: str) -> Halting:
    """Count the responses of one model."""
    rows = [(row, one.labels[row.key]) for one in evaluations for row in one.rows(decoding)]
    facts = [[label for label in labels if label != "halt"] for _, labels in rows]
    longest = min(MOST, max(map(len, facts), default=0))
    right: list[float | None] = []
    for k in range(longest):
        decided = [its[k] == "correct" for its in facts if len(its) > k and its[k] in ("correct", "incorrect")]
        right.append(sum(decided) / len(decided) if len(decided) >= ENOUGH else None)
    ends = Counter(ending(row) for row, _ in rows)
    return Halting(
        model=model,
        n=len(rows),
        reaching=[sum(len(its) > k for its in facts) / len(rows) for k in range(longest)],
        right=right,
        endings={how: ends[how] / len(rows) for how in ENDINGS},
    )


def ending(row: Scored) -> str:
    """How a response ends, one of `ENDINGS`; what says that it halts does so, whatever else it says."""
    if any(one.label == "halt" for one in row.fragments):
        return "says that it halts"
    if row.finish_reason == "length":
        return "is cut off"
    return "simply ends" if row.fragments else "says nothing"


def haltings(comparison: Comparison, evaluations: Sequence[Evaluation], decoding: str) -> list[Halting]:
    """Every model's, in the order of the comparison."""
    return [halting(model, [e for e in evaluations if e.label == model], decoding) for model in comparison.models]


def reaching(comparison: Comparison, found: Sequence[Halting]) -> Markup:
    """The share of responses that state at least k facts, over k."""
    # Down to the first fact that none states.
    curves = {
        one.model: [(k, share) for k, share in enumerate([*one.reaching, 0.0], start=1)] if one.reaching else []
        for one in found
    }
    return _over_facts(comparison, curves, "responses that state a k-th fact, %", found, "no model states a fact")


def right(comparison: Comparison, found: Sequence[Halting]) -> Markup:
    """The share correct of the k-th facts, over k."""
    curves = {
        one.model: [(k, share) for k, share in enumerate(one.right, start=1) if share is not None] for one in found
    }
    why = f"every k-th fact has fewer than {ENOUGH} verdicts: too few for a share"
    return _over_facts(comparison, curves, "right among the k-th facts, %", found, why)


def _over_facts(
    comparison: Comparison, curves: dict[str, list[tuple[int, float]]], title: str, found: Sequence[Halting], why: str
) -> Markup:
    width, height = 500, 300
    last = max([1, *(len(one.reaching) for one in found)]) + 1
    x, y = Axis(1, last, 52, width - 14), Axis(0, 1, height - 50, 34)
    parts = svg.frame(x, y, "k: facts of a response, in its order", title, percent, "{:.0f}".format, x_whole=True)
    for model, curve in curves.items():
        parts.append(f"<g {of(comparison, model)}>")
        parts.append(svg.path([(x(k), y(share)) for k, share in curve], "curve"))
        parts += [svg.dot(x(k), y(s), 3, "dot", f"{model}, k = {k}: {percent(s)} %") for k, s in curve]
        parts.append("</g>")
    if not any(curves.values()):
        parts.append(svg.note(x, y, why))
    return svg.figure(width, height, title, parts)
