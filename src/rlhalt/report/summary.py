"""What the numbers say, in sentences, each made from the comparison.

A difference is stated as one where chance does not explain it, see `findings.shown`; elsewhere the sentence says that
none is shown, and what so many prompts could have shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.comparison import Comparison, Difference
from rlhalt.evaluation.significance import Significance
from rlhalt.evaluation.tables import cell, number, percent, precise
from rlhalt.report.findings import p_value, shown, strongest

CONFIDENCES = {"token_probability": "token probability", "1 - halt_probability": "1 − halting probability"}


def spoken(model: str) -> str:
    """A label in a sentence: `DPO at τ = 0.5`."""
    return model.replace(" τ=", " at τ = ")


def featured(comparison: Comparison) -> str:
    """The model that stands for the rest where there is room for one: trained at the τ nearest ½, of several the last.

    Which earned most has no say in it.
    """
    tuned = {one.model: one.threshold for one in comparison.metrics if one.threshold is not None}
    return min(reversed(tuned), key=lambda model: abs(tuned[model] - 0.5)) if tuned else comparison.models[-1]


def middle(comparison: Comparison) -> float:
    """The τ nearest ½, where only one is shown."""
    return min(comparison.thresholds, key=lambda t: abs(t - 0.5))


def sentences(comparison: Comparison) -> list[str]:
    """The summary, the most important first. Greedy responses where there are any; nothing where base is alone."""
    decoding, lead = comparison.decodings[0], featured(comparison)
    if lead == "base":
        return []
    said = [_of(comparison, lead), _untrained(comparison, decoding), _best(comparison, decoding)]
    said += [*_dial(comparison, decoding), _abstention(comparison, lead, decoding), _confidence(comparison)]
    said += [_elsewhere(comparison), _failed(comparison)]
    return [sentence for sentence in said if sentence]


def others(comparison: Comparison) -> list[str]:
    """A sentence on each trained model but the featured one."""
    lead = featured(comparison)
    return [_of(comparison, model) for model in comparison.models if model not in ("base", lead)]


def _of(comparison: Comparison, model: str) -> str:
    decoding = comparison.decodings[0]
    return f"{_against_base(comparison, model, decoding)} {_gain(comparison, model, decoding)}".strip()


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
    gain, test = difference.correctness, difference.tests["correctness"]
    assert gain.value is not None
    levels = f"{percent(own['correctness'].value or 0)} % against {percent(base['correctness'].value or 0)} %"
    points = _points(abs(gain.value))
    amount = f"{points} point{'' if points == '1' else 's'} {'more' if gain.value >= 0 else 'less'}"
    known = f"{levels}; {_interval(gain, _points)}; {p_value(test)}"
    start = f"{spoken(model)} is {amount} correct than base ({known})"
    if not shown(test):
        start = (
            f"{spoken(model)} is not shown to differ in correctness from base: {amount} ({known})"
            f"{_could_have(test, lambda share: f'{_points(share)} points')}. It"
        )
    kept = own["completeness"]
    if kept.value is None:
        return f"{start.removesuffix('. It')}."
    share = cell(kept, percent)
    verb = "keeps" if kept.value <= 1 else "states"
    of = "of its right facts" if kept.value <= 1 else "as many right facts"
    joined = start if start.endswith("It") else f"{start} and"
    return f"{joined} {verb} {share.value} % {of}{f' ({share.interval})' if share.interval else ''}."


def _could_have(test: Significance, form: Callable[[float], str]) -> str:
    """What so many prompts would probably have shown, where that is known."""
    if test.detectable is None:
        return ""
    return f"; uncorrected, {test.n_prompts} prompts would probably have shown {form(test.detectable)}"


def _gain(comparison: Comparison, model: str, decoding: str) -> str:
    """The utility at its own τ beside all that it is compared with."""
    own = comparison.get(model, decoding)
    if own.threshold is None or own.utility[own.threshold].value is None:
        return ""
    parts = [
        _step(difference, own.threshold)
        for difference in comparison.differences
        if (difference.model, difference.decoding) == (model, decoding)
    ]
    earned = cell(own.utility[own.threshold], number).value
    return f"Its utility at its own τ is {earned} a response: {' and '.join(parts)}."


def _step(difference: Difference, threshold: float) -> str:
    gain, test = difference.utility[threshold], difference.tests[f"utility@{threshold:g}"]
    way = "more" if (gain.value or 0) >= 0 else "less"
    step = f"{number(abs(gain.value or 0))} {way} than {difference.versus} ({_interval(gain)}; {p_value(test)}"
    return f"{step})" if shown(test) else f"{step}: not shown)"


def _untrained(comparison: Comparison, decoding: str) -> str:
    """Whether training beats what recalibration gives for nothing: the featured model at its own τ, or the middle."""
    model = featured(comparison)
    own = comparison.get(model, decoding).threshold
    threshold = middle(comparison) if own is None else own
    cut = strongest(comparison, decoding, threshold)
    if cut is None or model not in cut.gains or cut.gains[model].value is None:
        return ""
    gain = cut.gains[model]
    way = "more" if (gain.value or 0) >= 0 else "less"
    confidence = CONFIDENCES.get(cut.confidence, cut.confidence)
    return (
        f"Without training, base earns {cell(cut.utility, number).value} at τ = {threshold:g} when it leaves out what "
        f"its {confidence}, recalibrated ({cut.method}), puts below τ: {spoken(model)} earns "
        f"{number(abs(gain.value or 0))} {way} than that ({_interval(gain)})."
    )


def _best(comparison: Comparison, decoding: str) -> str:
    """Who earns most at each τ, as counted; what of it is more than chance, the tests say."""
    winners = []
    for t in comparison.thresholds:
        earned = {m: comparison.get(m, decoding).utility[t].value for m in comparison.models}
        defined = {m: value for m, value in earned.items() if value is not None}
        if defined:
            best = max(defined, key=lambda m: defined[m])
            winners.append(f"{best} at τ = {t:g} ({number(defined[best])})")
    return f"The highest utility as counted: {', '.join(winners)}." if winners else ""


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


def _elsewhere(comparison: Comparison) -> str:
    """What the featured model lost outside of its domain, as far as it was measured beside base."""
    model = featured(comparison)
    one = next((one for one in comparison.elsewhere if one.model == model), None)
    if one is None:
        return ""
    parts = []
    if one.bits_more.value is not None:
        way = "more" if one.bits_more.value >= 0 else "less"
        size = precise(abs(one.bits_more.value))
        parts.append(f"needs {size} bits a byte of text {way} than base ({_interval(one.bits_more, precise)})")
    if one.right_more.value is not None:
        way = "more" if one.right_more.value >= 0 else "fewer"
        size = _points(abs(one.right_more.value))
        parts.append(f"follows {size} points {way} of the short instructions ({_interval(one.right_more, _points)})")
    return f"Outside of its domain, {spoken(model)} {' and '.join(parts)}." if parts else ""


def _failed(comparison: Comparison) -> str:
    worst = max(comparison.metrics, key=lambda one: one["failed_share"].value or 0)
    share = worst["failed_share"].value
    if not share:
        return ""
    return (
        f"The verifier broke on up to {percent(share)} % of fragments ({spoken(worst.model)}, {worst.decoding}); "
        "these count neither as right nor as wrong."
    )
