"""One colour a model, the same in every figure."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison

OWN = {"base": "var(--base)", "SFT": "var(--sft)"}
# As many as the style sheet names; further ones begin anew.
HUES = 4
FLAT = 5


def colour(comparison: Comparison, model: str) -> str:
    """The colour of a model: one hue a name in shades by τ, a single colour where training knows no τ."""
    one = comparison.get(model, comparison.decodings[0])
    if one.name in OWN and one.threshold is None:
        return OWN[one.name]
    alike = [other for other in comparison.metrics if (other.threshold is None) == (one.threshold is None)]
    names = [name for name in dict.fromkeys(other.name for other in alike) if name not in OWN]
    if one.threshold is None:
        return f"var(--flat-{names.index(one.name) % FLAT})"
    hue = names.index(one.name) % HUES if one.name in names else 0
    shades = sorted({other.threshold for other in alike if other.threshold is not None})
    place = 1.0 if len(shades) == 1 else shades.index(one.threshold) / (len(shades) - 1)
    return f"color-mix(in oklab, var(--tuned-{hue}-high) {round(100 * place)}%, var(--tuned-{hue}-low))"


def legend(comparison: Comparison) -> Markup:
    """Every model beside its colour."""
    keys = "".join(
        f'<li><span class="key" style="--c:{colour(comparison, model)}"></span>{escape(model)}</li>'
        for model in comparison.models
    )
    return Markup(f'<ul class="legend">{keys}</ul>')
