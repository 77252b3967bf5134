"""Every model + cut: the model as it is, without what its own calibrated probability puts below τ.

A fragment that is right with probability q is worth saying iff q ≥ τ. Whoever has labelled prompts can have that
without training for it: fit q = σ(a · logit c + b) to the model's own token probability c (Platt, `recalibration`),
leave out each fragment with q < τ, and in a causal domain halt at the first. It obeys every τ, and it is what training
for one has to beat.

The map of each training seed is fitted on the held-out responses of one half of the prompts, under the same decoding,
and used on the other half, both ways round (*cross-fitted*): no prompt is cut by a map that has seen it, and the model
was trained on none of them. In place of the token probability c may be that of a trained reward model
(`Design.cut_by`). `comparison.json` names the halves and every map.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rlhalt.cut.decision import kept
from rlhalt.evaluation.confidence_arrays import Judged, joined, judged
from rlhalt.evaluation.counts import PromptCounts, per_prompt
from rlhalt.evaluation.cross_fitting import cross_fitted
from rlhalt.evaluation.design import CutBy, Design, Model
from rlhalt.evaluation.folder import Evaluation
from rlhalt.records import Fragment, Scored
from rlhalt.rewards import Halting
from rlhalt.uncertainty.recalibration import platt_coefficients, platt_map


@dataclasses.dataclass(frozen=True)
class Calibrator:
    """One fitted map: q = σ(a · logit c + b).

    Attributes:
        fitted_on: the half of the prompts whose fragments it was fitted on, `first` or `second`; it is used on the
            other one.
        n: those fragments, decided and with a confidence.
    """

    model: str
    decoding: str
    seed: int
    fitted_on: str
    a: float
    b: float
    n: int


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """The calibrated probabilities of one model under one decoding.

    Attributes:
        q: by seed, of each response by its key, one number a fragment.
        fragments: the decided ones with q as their confidence, all seeds together, see `confidence_arrays.joined`.
        missing: why there are none, empty where there are.
    """

    q: Mapping[int, Mapping[str, Sequence[float]]]
    fragments: Judged
    calibrators: Sequence[Calibrator]
    missing: str = ""


def calibrated(model: Model, decoding: str, design: Design) -> Calibrated:
    """The cross-fitted probabilities of a model; `missing` where a seed gives no confidence or no verdict to fit on."""
    keys = design.prompts[decoding]
    position = {key: place for place, key in enumerate(keys)}
    in_first = design.first_half()
    first = np.array([in_first[key] for key in keys])
    q: dict[int, dict[str, Sequence[float]]] = {}
    each: list[Judged] = []
    calibrators: list[Calibrator] = []
    for one in model.evaluations:
        rows = one.rows(decoding)
        sure = _confidences(one, design.cut_by)
        its = _decided(rows, sure, position)
        if not len(its.confidence):
            return _missing(_why(one, rows, sure, design.cut_by))
        for name, half in (("first", first), ("second", ~first)):
            inside = half[its.prompt]
            if not inside.any():
                return _missing(f"no fragment with a verdict in the {name} half of the prompts, seed {one.seed}")
            a, b = platt_coefficients(its.confidence[inside], its.correct[inside])
            calibrators.append(Calibrator(model.label, decoding, one.seed, name, a, b, int(inside.sum())))
        mapped = cross_fitted(its, lambda c, right: platt_map(*platt_coefficients(c, right)), first)
        q[one.seed] = {
            row.key: mapped(np.array(values, dtype=np.float64), np.full(len(values), position[row.prompt_key])).tolist()
            for row in rows
            for values in [sure[row.key]]
        }
        each.append(Judged(mapped(its.confidence, its.prompt), its.correct, its.prompt))
    return Calibrated(q, joined(each, len(keys)), calibrators)


def _missing(why: str) -> Calibrated:
    empty = np.zeros(0)
    return Calibrated({}, Judged(empty, empty, empty.astype(np.intp)), [], why)


def _confidences(one: Evaluation, by: CutBy) -> Mapping[str, Sequence[float]]:
    """One number a fragment, by the key of the response; none where it was not measured."""
    if by == "reward":
        return one.certainty.get("reward", {})
    return {key: given.token_probability for key, given in one.confidence.items()}


def _decided(rows: Sequence[Scored], sure: Mapping[str, Sequence[float]], position: Mapping[str, int]) -> Judged:
    found = [
        (value, one.label == "correct", position[row.prompt_key])
        for row in rows
        for one, value in zip(row.fragments, sure.get(row.key, ()), strict=row.key in sure)
        if one.label in ("correct", "incorrect")
    ]
    return judged([one for one, _, _ in found], [one for _, one, _ in found], [one for _, _, one in found])


def _why(one: Evaluation, rows: Sequence[Scored], sure: Mapping[str, Sequence[float]], by: CutBy) -> str:
    """Why a seed has no fragments to fit on."""
    values = [value for row in rows for value in sure.get(row.key, ())]
    if by == "reward" and not values:
        return f"no reward.jsonl (rlhalt certainty --by reward), seed {one.seed}"
    if values and not np.isfinite(values).any():
        return f"no {'finite rewards' if by == 'reward' else 'token probabilities'}, seed {one.seed}"
    return f"no fragment with a verdict, seed {one.seed}"


def cut_counts(
    model: Model, decoding: str, design: Design, its: Calibrated, threshold: float, wanted: float | None
) -> list[PromptCounts]:
    """What is counted in a model's responses cut at τ, of each seed.

    Args:
        wanted: the K of F1@K, see `metrics.count`.
    """
    found = []
    for one in model.evaluations:
        q = its.q[one.seed]
        rows = [spoken(row, q[row.key], threshold, one.halting) for row in one.rows(decoding)]
        found.append(per_prompt(rows, design.prompts[decoding], halting=one.halting, wanted=wanted))
    return found


def spoken(row: Scored, sure: Sequence[float], threshold: float, halting: Halting) -> Scored:
    """A response without what is less sure than τ, a halt excepted; in a causal domain it halts at the first of these.

    What has no confidence is left out. A response whose last fragment is left out does not end unfinished.
    """

    numbers = kept(row.fragments, sure, threshold, halting)
    if len(numbers) == len(row.fragments):
        return row
    fragments = [row.fragments[number] for number in numbers]
    ended = halting == "causal" or len(row.fragments) - 1 not in numbers
    if halting == "causal":
        at = fragments[-1].end if fragments else 0
        fragments.append(Fragment(at, at, "halt", "", "halt"))
    return dataclasses.replace(row, fragments=fragments, finish_reason="stop" if ended else row.finish_reason)
