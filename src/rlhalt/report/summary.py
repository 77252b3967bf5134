"""What the numbers say, in sentences, each made from the comparison; where an interval includes 0, it says so."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.comparison import Comparison, Difference
from rlhalt.evaluation.tables import cell, number, percent

CONFIDENCES = {"token_probability": "token probability", "1 - halt_probability": "1 − halting probability"}


def spoken(model: str) -> str:
    """A label in a sentence: `DPO at τ = 0.5`."""
    return model.replace(" τ=", " at τ = ")


def featured(comparison: Comparison) -> str:
    """The model that stands for the rest where there is room for one: trained at the τ nearest ½, else the last."""
    tuned = {one.model: one.threshold for one in comparison.metrics if one.threshold is not None}
    return min(tuned, key=lambda model: abs(tuned[model] - 0.5)) if tuned else comparison.models[-1]


def sentences(comparison: Comparison) -> list[str]:
    """The summary, the most important first. Greedy responses where there are any; nothing where base is alone."""
    decoding = comparison.decodings[0]
    trained = [model for model in comparison.models if model != "base"]
    if not trained:
        return []
    # The featured model first: it is what a hurried reader takes along.
    trained.sort(key=lambda model: model != featured(comparison))
    said = [
        f"{_against_base(comparison, model, decoding)} {_gain(comparison, model, decoding)}".strip()
        for model in trained
    ]
    said += [_best(comparison, decoding), *_dial(comparison, decoding)]
    said += [_abstention(comparison, featured(comparison), decoding), _confidence(comparison), _failed(comparison)]
    return [sentence for sentence in said if sentence]


def _points(share: float) -> str:
    """A difference of shares in points; a decimal where rounding would leave nothing, a real minus sign."""
    text = f"{100 * share:.0f}" if abs(share) >= 0.0095 else f"{100 * share:.1f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def _interval(one: Estimate, form: Callable[[float], str] = number) -> str:
    """`95 %: 9 to 19`, and that it includes 0 where it does."""
    if one.low is None or one.high is None:
        return "no interval"
    return f"95 %: {form(one.low)} to {form(one.high)}{', which includes 0' if one.includes_zero else ''}"


def _against_base(comparison: Comparison, model: str, decoding: str) -> str:
    own, base = comparison.get(model, decoding), comparison.get("base", decoding)
    difference = comparison.difference(model, "base", decoding)
    if difference is None or difference.correctness.value is None:
        return (
            f"{spoken(model)} or base states nothing that could be right or wrong: there is no correctness to compare."
        )
    gain = difference.correctness
    assert gain.value is not None
    levels = f"{percent(own['correctness'].value or 0)} % against {percent(base['correctness'].value or 0)} %"
    points = _points(abs(gain.value))
    way = "more" if gain.value >= 0 else "less"
    start = (
        f"{spoken(model)} is {points} point{'' if points == '1' else 's'} {way} correct than base "
        f"({levels}; {_interval(gain, _points)})"
    )
    kept = own["completeness"]
    if kept.value is None:
        return f"{start}."
    amount = cell(kept, percent)
    verb = "keeps" if kept.value <= 1 else "states"
    of = "of its right facts" if kept.value <= 1 else "as many right facts"
    return f"{start} and {verb} {amount.value} % {of}{f' ({amount.interval})' if amount.interval else ''}."


def _gain(comparison: Comparison, model: str, decoding: str) -> str:
    """The utility at the model's own τ, against base and SFT."""
    own = comparison.get(model, decoding)
    if own.threshold is None or own.utility[own.threshold].value is None:
        return ""
    parts = [
        _step(difference, own.threshold)
        for versus in ("base", "SFT")
        if (difference := comparison.difference(model, versus, decoding)) is not None
    ]
    earned = cell(own.utility[own.threshold], number).value
    return f"Its utility at its own τ is {earned} a response: {' and '.join(parts)}."


def _step(difference: Difference, threshold: float) -> str:
    gain = difference.utility[threshold]
    way = "more" if (gain.value or 0) >= 0 else "less"
    return f"{number(abs(gain.value or 0))} {way} than {difference.versus} ({_interval(gain)})"


def _best(comparison: Comparison, decoding: str) -> str:
    """Who earns most at each τ."""
    winners = []
    for t in comparison.thresholds:
        earned = {m: comparison.get(m, decoding).utility[t].value for m in comparison.models}
        defined = {m: value for m, value in earned.items() if value is not None}
        if defined:
            best = max(defined, key=lambda m: defined[m])
            winners.append(f"at τ = {t:g} {best} ({number(defined[best])})")
    return f"The highest utility: {', '.join(winners)}." if winners else ""


def _dial(comparison: Comparison, decoding: str) -> list[str]:
    """Whether a higher τ makes a model more correct, for each name trained at several."""
    said = []
    for name in dict.fromkeys(one.name for one in comparison.metrics if one.threshold is not None):
        steps = [one for one in comparison.metrics if one.name == name and one.decoding == decoding]
        values = [one["correctness"].value for one in steps]
        kept = [one["completeness"].value for one in steps]
        if len(steps) < 2 or None in values or None in kept:
            continue
        rising = all(a is not None and b is not None and a <= b for a, b in itertools.pairwise(values))
        said.append(
            f"From τ = {steps[0].threshold:g} to {steps[-1].threshold:g}, {name}'s correctness goes from "
            f"{percent(values[0] or 0)} to {percent(values[-1] or 0)} %"
            f"{'' if rising else ' (not rising at every step)'} and its completeness from "
            f"{percent(kept[0] or 0)} to {percent(kept[-1] or 0)} %."
        )
    return said


def _abstention(comparison: Comparison, model: str, decoding: str) -> str:
    own = comparison.get(model, decoding)
    halts, held_back = own["halt_rate"], own["over_abstention"]
    if halts.value is None or held_back.value is None:
        return ""
    return (
        f"{spoken(model)} says that it halts in {percent(halts.value)} % of its responses. Of {own.n_over_abstention} "
        f"endings where base would have gone on, base's next fact is right in {cell(held_back, percent)} %."
    )


def _confidence(comparison: Comparison) -> str:
    """Which confidence tells right from wrong, for the featured model."""
    model = featured(comparison)
    both = [one for one in comparison.calibrations if one.model == model and one.auroc.value is not None]
    if len(both) < 2:
        return ""
    told = " and ".join(f"{CONFIDENCES[one.confidence]} with AUROC {cell(one.auroc, number)}" for one in both)
    return f"In {spoken(model)}, right facts are told from wrong ones by {told}."


def _failed(comparison: Comparison) -> str:
    worst = max(comparison.metrics, key=lambda one: one["failed_share"].value or 0)
    share = worst["failed_share"].value
    if not share:
        return ""
    return (
        f"The verifier broke on up to {percent(share)} % of fragments ({spoken(worst.model)}, {worst.decoding}); "
        "these count neither as right nor as wrong."
    )
