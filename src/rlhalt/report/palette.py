"""One colour per model, the same in every figure, and which models the figures show at first."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison

# More models than this in one picture cannot be told apart; the legend shows the others.
MOST = 8
# As many as the style sheet names; further ones begin again.
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


def of(comparison: Comparison, model: str) -> Markup:
    """The attributes of what is drawn for a model: its number, by which the page hides it, and its colour."""
    number = comparison.models.index(model)
    return Markup(f'data-model="{number}" style="--c:{colour(comparison, model)}"')


def at_first(comparison: Comparison, featured: str) -> list[str]:
    """The models that the figures show at first, `MOST` at most: base, the featured one, then in order."""
    first = list(dict.fromkeys([comparison.base, featured, *comparison.models]))[:MOST]
    return [one for one in comparison.models if one in first]


def legend(comparison: Comparison, featured: str) -> Markup:
    """Every model beside its colour; where there are more than `MOST`, each with a box that shows it."""
    first = at_first(comparison, featured)
    keys = []
    for number, model in enumerate(comparison.models):
        key = f'<span class="key" style="--c:{colour(comparison, model)}"></span>{escape(model)}'
        if len(first) < len(comparison.models):
            checked = " checked" if model in first else ""
            key = f'<label><input type="checkbox" name="shown" value="{number}"{checked}>{key}</label>'
        keys.append(f"<li>{key}</li>")
    return Markup(f'<ul class="legend">{"".join(keys)}</ul>')
