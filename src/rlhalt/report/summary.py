"""What the numbers say, in sentences, each made from the comparison.

A difference is stated as one where it is shown, by the one rule of `rlhalt.evaluation.significance.Significance.shows`;
elsewhere the sentence says that it is not, and why. Of a model that says nothing right no sentence says that it does
not differ, and where fewer prompts have a verdict than any test could use, there is nothing to compare.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.comparison import Comparison, Difference, Metrics
from rlhalt.evaluation.design import CUT, Model
from rlhalt.evaluation.roles import ROLES
from rlhalt.evaluation.significance import Significance
from rlhalt.evaluation.tables import cell, number, percent, precise
from rlhalt.report.findings import doubt, p_value

CONFIDENCES = {"token_probability": "token probability", "1 - halt_probability": "1 − halting probability"}


def spoken(model: str) -> str:
    """A label in a sentence: `DPO at τ = 0.5`."""
    return model.replace(" τ=", " at τ = ")


def featured(comparison: Comparison) -> str:
    """The model that stands for the rest where there is room for one: trained at the τ nearest ½; of several the one
    with the most trainings behind it, and of those the first. Which earned most has no say in it.
    """
    tuned = [one for one in comparison.design.models if one.threshold is not None]
    if not tuned:
        return comparison.models[-1]

    def place(one: Model) -> tuple[float, int, int]:
        return abs((one.threshold or 0) - 0.5), -ROLES.index(one.role), -len(one.ancestors)

    return min(tuned, key=place).label


def sentences(comparison: Comparison) -> list[str]:
    """The summary, the most important first. Greedy responses where there are any; nothing where base is alone."""
    decoding, lead = comparison.decodings[0], featured(comparison)
    if lead == comparison.base:
        return []
    said = [comparison.doubted, _of(comparison, lead), _untrained(comparison, decoding), _best(comparison, decoding)]
    said += [_obeys(comparison, lead, decoding), _strict(comparison, lead, decoding)]
    said += [*_rising(comparison, decoding), _abstention(comparison, lead, decoding), _confidence(comparison)]
    said += [_elsewhere(comparison), _cut_off(comparison, decoding), _failed(comparison)]
    return [sentence for sentence in said if sentence]


def others(comparison: Comparison) -> list[str]:
    """A sentence on each trained model but the featured one."""
    lead = featured(comparison)
    return [_of(comparison, model) for model in comparison.models if model not in (comparison.base, lead)]


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
    own, base = comparison.get(model, decoding), comparison.get(comparison.base, decoding)
    if not own["right"].value and base["right"].value:
        return (
            f"{spoken(model)} says nothing right: {_facts(own)} per response, where {comparison.base} says "
            f"{_facts(base)}."
        )
    difference = comparison.difference(model, comparison.base, decoding)
    if difference is None or difference.correctness.value is None:
        return (
            f"{spoken(model)} or {comparison.base} states nothing that could be right or wrong: there is no "
            "correctness to compare."
        )
    gain, test = difference.correctness, difference.tests["correctness"]
    assert gain.value is not None
    kept = _kept(own)
    levels = f"{percent(own['correctness'].value or 0)} % against {percent(base['correctness'].value or 0)} %"
    if not test.enough:
        return (
            f"On {test.n_prompts} of {own.n_prompts} prompts alone both {spoken(model)} and {comparison.base} state "
            f"something right or wrong: too few to compare their correctness ({levels})."
            f"{f' {spoken(model)} {kept}.' if kept else ''}"
        )
    points = _points(abs(gain.value))
    amount = f"{points} point{'' if points == '1' else 's'} {'more' if gain.value >= 0 else 'less'}"
    known = f"{levels}; {_interval(gain, _points)}; {p_value(test)}"
    start = f"{spoken(model)} is {amount} correct than {comparison.base} ({known})"
    if test.shows(gain):
        return f"{start}{f' and {kept}' if kept else ''}."
    why = "; interval and test disagree" if test.disagrees(gain) else ""
    start = (
        f"{spoken(model)} is not shown to differ in correctness from {comparison.base}: {amount} ({known}{why})"
        f"{_could_have(test, lambda share: f'{_points(share)} points')}."
    )
    return f"{start}{f' It {kept}.' if kept else ''}"


def _facts(one: Metrics) -> str:
    return f"{number(one['right'].value or 0)} right and {number(one['wrong'].value or 0)} wrong facts"


def _kept(own: Metrics) -> str:
    """How much of base's right facts a model keeps; empty where that is not defined."""
    kept = own["completeness"]
    if kept.value is None:
        return ""
    share = cell(kept, percent)
    verb = "keeps" if kept.value <= 1 else "states"
    of = "of its right facts" if kept.value <= 1 else "as many right facts"
    return f"{verb} {share.value} % {of}{f' ({share.interval})' if share.interval else ''}"


def _could_have(test: Significance, form: Callable[[float], str]) -> str:
    """What so many prompts would probably have shown, where that is known."""
    if test.detectable is None:
        return ""
    return f"; before correction, {test.n_prompts} prompts would probably show a difference of {form(test.detectable)}"


def _gain(comparison: Comparison, model: str, decoding: str) -> str:
    """The utility at its own τ beside all that it was planned to be compared with."""
    own = comparison.get(model, decoding)
    if own.threshold is None or own.utility[own.threshold].value is None:
        return ""
    parts = [
        _step(difference, own.threshold)
        for difference in comparison.differences
        if (difference.model, difference.decoding, difference.planned) == (model, decoding, True)
    ]
    earned = cell(own.utility[own.threshold], number).value
    return f"Its utility at its own τ is {earned} per response: {' and '.join(parts)}."


def _step(difference: Difference, threshold: float) -> str:
    gain, test = difference.utility[threshold], difference.tests[f"utility@{threshold:g}"]
    return f"{_more(gain)} than {difference.versus} ({_interval(gain)}; {_word(gain, test)})"


def _more(gain: Estimate) -> str:
    return f"{number(abs(gain.value or 0))} {'more' if (gain.value or 0) >= 0 else 'less'}"


def _word(gain: Estimate, test: Significance) -> str:
    """The p-value, and that a difference is not shown where it is not."""
    why = doubt(gain, test)
    return f"{p_value(test)}: {why}" if why and test.planned else p_value(test)


def _untrained(comparison: Comparison, decoding: str) -> str:
    """Whether training beats base + cut: the featured model as it is and + cut, at its own τ or the middle."""
    model = featured(comparison)
    threshold = comparison.design.own_threshold(comparison.design.model(model))
    base = comparison.get(comparison.base, decoding).utility_cut[threshold]
    gain = comparison.less_base_cut(model, decoding, threshold)
    if base.value is None or gain.value is None:
        return ""
    said = (
        f"Without training, {comparison.base} + cut earns {cell(base, number).value} at τ = {threshold:g}, leaving out "
        f"what its calibrated probability puts below τ: {spoken(model)} earns {_more(gain)} than that "
        f"({_interval(gain)})"
    )
    both = comparison.difference(f"{model}{CUT}", f"{comparison.base}{CUT}", decoding)
    if both is None:
        return f"{said}."
    cut, test = both.utility[threshold], both.tests[f"utility@{threshold:g}"]
    return f"{said}, and {_more(cut)} with a cut of its own ({_interval(cut)}; {_word(cut, test)})."


def _obeys(comparison: Comparison, model: str, decoding: str) -> str:
    """How much of what its own decisions could earn the featured model earns."""
    threshold = comparison.design.own_threshold(comparison.design.model(model))
    share = comparison.get(model, decoding).share_own[threshold]
    if share.value is None:
        return ""
    return (
        f"{spoken(model)} earns {cell(share, percent).value} % of what the same model + cut earns at τ = {threshold:g}."
        " 100 %: it decides as well as a cut by its own probabilities."
    )


def _strict(comparison: Comparison, model: str, decoding: str) -> str:
    """What is left of the utility if all that cannot be checked is wrong, where there is any."""
    threshold = comparison.design.own_threshold(comparison.design.model(model))
    own, base = comparison.get(model, decoding), comparison.get(comparison.base, decoding)
    if not own["unverifiable"].value:
        return ""
    earned, before = own.utility_strict[threshold], base.utility_strict[threshold]
    return (
        f"If all that cannot be checked were wrong ({number(own['unverifiable'].value)} statements per response), "
        f"{spoken(model)} would earn {number(earned.value or 0)} at τ = {threshold:g}, and {comparison.base} "
        f"{number(before.value or 0)}."
    )


def _best(comparison: Comparison, decoding: str) -> str:
    """Who earns most at each τ, as it is or + cut, as counted; what of it is more than chance, the tests say."""
    winners = []
    for t in comparison.thresholds:
        its = {model: comparison.get(model, decoding) for model in comparison.models}
        earned = {model: one.utility[t].value for model, one in its.items()}
        earned |= {f"{model}{CUT}": one.utility_cut[t].value for model, one in its.items()}
        defined = {m: value for m, value in earned.items() if value is not None}
        if defined:
            best = max(defined, key=lambda m: defined[m])
            winners.append(f"{best} at τ = {t:g} ({number(defined[best])})")
    return f"The highest utility as counted: {', '.join(winners)}." if winners else ""


def _rising(comparison: Comparison, decoding: str) -> list[str]:
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
        f"endings where base continues, base's next fact is right in {cell(held_back, percent)} %."
    )


def _confidence(comparison: Comparison) -> str:
    """Which confidence tells right from wrong, for the featured model."""
    model = featured(comparison)
    both = [one for one in comparison.calibrations if one.model == model and one.auroc.value is not None]
    if len(both) < 2:
        return ""
    told = " and ".join(f"{CONFIDENCES[one.confidence]} with AUROC {cell(one.auroc, number)}" for one in both)
    return f"In {spoken(model)}, confidence separates right from wrong facts: {told}."


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


def _cut_off(comparison: Comparison, decoding: str) -> str:
    worst = max(
        (one for one in comparison.metrics if one.decoding == decoding), key=lambda one: one["cut_off_share"].value or 0
    )
    share = worst["cut_off_share"].value
    if not share:
        return ""
    return (
        f"Up to {percent(share)} % of the responses of a model ({spoken(worst.model)}) are cut off at the token limit; "
        "what they leave unfinished costs τ, as a wrong fact does."
    )


def _failed(comparison: Comparison) -> str:
    worst = max(comparison.metrics, key=lambda one: one["failed_share"].value or 0)
    share = worst["failed_share"].value
    if not share:
        return ""
    return (
        f"The verifier broke on up to {percent(share)} % of fragments ({spoken(worst.model)}, {worst.decoding}); "
        "these count neither as right nor as wrong."
    )
