"""Prompt by prompt, which of two models earns more."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison
from rlhalt.report import svg
from rlhalt.report.svg import WIDE

ROW = 30


@dataclasses.dataclass(frozen=True)
class Wins:
    """On how many prompts `model` earns more than `versus` at τ, as much, and less; the mean of all seeds each."""

    model: str
    versus: str
    threshold: float
    won: int
    drawn: int
    lost: int


def wins(comparison: Comparison, decoding: str) -> list[Wins]:
    """For every pair of models that is compared, at every τ."""
    earned = {model: comparison.arms[model, decoding].by_prompt for model in comparison.models}
    found = []
    for model, versus, _ in comparison.design.contrasts:
        for t in comparison.thresholds:
            # Means of seeds: what is equal must be equal after rounding too.
            more = np.round(earned[model][f"utility@{t:g}"] - earned[versus][f"utility@{t:g}"], 9)
            won, lost = int((more > 0).sum()), int((more < 0).sum())
            found.append(Wins(model, versus, t, won, len(more) - won - lost, lost))
    return found


def bars(found: Sequence[Wins]) -> Markup:
    """A bar a comparison, a panel a τ: won, drawn, lost, with their numbers."""
    rows = list(dict.fromkeys((one.model, one.versus) for one in found))
    thresholds = list(dict.fromkeys(one.threshold for one in found))
    names = [f"{model} against {versus}" for model, versus in rows]
    gutter, top = svg.gutter(names), 30
    panel = (WIDE - gutter) / max(1, len(thresholds))
    parts = [svg.text(0, top + ROW * (i + 0.5) + 4, name, "label") for i, name in enumerate(names)]
    parts += [svg.text(gutter + i * panel, 16, f"at τ = {t:g}", "panel") for i, t in enumerate(thresholds)]
    for one in found:
        i, first = rows.index((one.model, one.versus)), gutter + thresholds.index(one.threshold) * panel
        parts += _bar(one, first, first + panel - 24, top + ROW * i + 5, top + ROW * (i + 1) - 5)
    said = "Prompts won, drawn and lost; the table below has the numbers"
    return svg.figure(WIDE, top + ROW * len(rows) + 6, said, parts)


def _bar(one: Wins, first: float, last: float, top: float, bottom: float) -> list[str]:
    parts, at = [], first
    for kind, n in (("won", one.won), ("drawn", one.drawn), ("lost", one.lost)):
        end = at + (last - first) * n / max(1, one.won + one.drawn + one.lost)
        parts.append(svg.box(at, top, end, bottom, kind, f"{one.model} against {one.versus}: {n} {kind}"))
        # A number needs about this much room.
        if end - at > 18:
            parts.append(svg.text((at + end) / 2, (top + bottom) / 2 + 4, str(n), "inside", "middle"))
        at = end
    return parts
