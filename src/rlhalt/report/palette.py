"""One colour a model, the same in every figure."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison

# As many as the style sheet names; further ones begin anew.
HUES = 4
FLAT = 5


def colour(comparison: Comparison, model: str) -> str:
    """The colour of a model: one hue a name in shades by τ, a single colour where training knows no τ."""
    one = comparison.get(model, comparison.decodings[0])
    if one.role == "base":
        return "var(--base)"
    if model == _start(comparison):
        return "var(--sft)"
    alike = [other for other in comparison.metrics if (other.threshold is None) == (one.threshold is None)]
    own = (comparison.base, _start(comparison))
    names = list(dict.fromkeys(other.name for other in alike if other.model not in own))
    if one.threshold is None:
        return f"var(--flat-{names.index(one.name) % FLAT})"
    hue = names.index(one.name) % HUES if one.name in names else 0
    shades = sorted({other.threshold for other in alike if other.threshold is not None})
    place = 1.0 if len(shades) == 1 else shades.index(one.threshold) / (len(shades) - 1)
    return f"color-mix(in oklab, var(--tuned-{hue}-high) {round(100 * place)}%, var(--tuned-{hue}-low))"


def _start(comparison: Comparison) -> str | None:
    """The supervised model without a τ that most others were trained from, or the only one there is."""
    supervised = [one.label for one in comparison.design.models if one.role == "supervised" and one.threshold is None]
    from_it = [sum(label in one.ancestors for one in comparison.design.models) for label in supervised]
    if not supervised or (max(from_it) == 0 and len(supervised) > 1):
        return None
    return supervised[from_it.index(max(from_it))]


def legend(comparison: Comparison) -> Markup:
    """Every model beside its colour."""
    keys = "".join(
        f'<li><span class="key" style="--c:{colour(comparison, model)}"></span>{escape(model)}</li>'
        for model in comparison.models
    )
    return Markup(f'<ul class="legend">{keys}</ul>')
