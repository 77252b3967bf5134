"""What is counted of each model under each decoding, as it is and + cut: computed once, for everything behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rlhalt.evaluation.bootstrap import Floats, divide
from rlhalt.evaluation.counts import PromptCounts, cells, median_claims, per_prompt, pool, repeated
from rlhalt.evaluation.cut import Calibrated, calibrated, cut_counts
from rlhalt.evaluation.design import Design, Model
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.metrics import by_prompt, gains, measure, strict_utility, utility


@dataclasses.dataclass(frozen=True)
class Arm:
    """One model under one decoding, with what is cut from it.

    Attributes:
        seeds: what is counted for each prompt, of each training seed.
        weights: over seeds and prompts, see `Design.weights`.
        draws: of every measure (`metrics.DEFINITIONS`, and by τ those of `BY_THRESHOLD`), seeds and prompts resampled.
        by_seed: the same measures of each seed by itself, without resamples.
        by_prompt: of the measures that are tested, one number a prompt, seeds averaged first.
        calibrated: the probabilities that it is cut by.
        cut: by τ, what is counted of it + cut, of each seed; empty where there is nothing to cut by.
        cut_draws, cut_by_prompt: by τ, as `draws` and `by_prompt`.
        cut_curve: the utility of it + cut at each τ of `CURVE`, without intervals.
    """

    model: Model
    decoding: str
    k: float | None
    seeds: Mapping[int, PromptCounts]
    weights: Floats
    draws: Mapping[str, Floats]
    by_seed: Mapping[int, Mapping[str, Floats]]
    by_prompt: Mapping[str, Floats]
    calibrated: Calibrated
    cut: Mapping[float, Mapping[int, PromptCounts]]
    cut_draws: Mapping[float, Mapping[str, Floats]]
    cut_by_prompt: Mapping[float, Floats]
    cut_curve: Mapping[float, float]


CURVE = tuple(round(0.02 * step, 2) for step in range(1, 50))
"""The τ at which a model + cut is drawn as a curve."""

BY_THRESHOLD = {
    "utility": "utility at τ",
    "utility_cut": "the same + cut: without what its calibrated probability puts below τ (cross-fitted)",
    "utility_strict": "the same if all that cannot be checked were incorrect",
    "share": "utility / that of base + cut: the share of what base's own decisions could earn, made as well as can be",
    "share_own": "utility / that of the same model + cut: the share of what its own decisions could earn",
}
"""The measures that there are at each τ, `name@τ` among the draws, and what they are."""


def arms(design: Design) -> dict[tuple[str, str], Arm]:
    """Every model under every decoding, by label and decoding."""
    return {
        (model.label, decoding): arm
        for decoding in design.decodings
        for model, arm in zip(design.models, _under(design, decoding), strict=True)
    }


def _under(design: Design, decoding: str) -> list[Arm]:
    base = design.base
    keys = design.prompts[decoding]
    wanted = median_claims((row for one in base.evaluations for row in one.rows(decoding)), design.halting)
    counted = {
        model.label: {one.seed: _counts(one, decoding, keys, wanted) for one in model.evaluations}
        for model in design.models
    }
    probable = {model.label: calibrated(model, decoding, design) for model in design.models}
    cuts = {model.label: _cuts(model, decoding, design, probable[model.label], wanted) for model in design.models}
    pooled = pool(list(counted[base.label].values()))
    untrained = {
        t: utility(cells(list(its.values())), design.weights(base, len(keys)), t) for t, its in cuts[base.label].items()
    }
    found = []
    for model in design.models:
        seeds, cut = counted[model.label], cuts[model.label]
        weights = design.weights(model, len(keys))
        beside = repeated(pooled, len(seeds))
        cut_cells = {t: cells(list(its.values())) for t, its in cut.items()}
        found.append(
            Arm(
                model=model,
                decoding=decoding,
                k=wanted,
                seeds=seeds,
                weights=weights,
                draws=_draws(cells(list(seeds.values())), cut_cells, beside, untrained, weights, design.thresholds),
                by_seed={
                    seed: _draws(
                        its,
                        {t: by_seed[seed] for t, by_seed in cut.items()},
                        pooled,
                        {t: draws[:1] for t, draws in untrained.items()},
                        np.ones((1, len(keys))),
                        design.thresholds,
                    )
                    for seed, its in seeds.items()
                },
                by_prompt=by_prompt(pool(list(seeds.values())), design.thresholds),
                calibrated=probable[model.label],
                cut=cut,
                cut_draws={
                    t: measure(counts, beside, weights) | {f"utility@{t:g}": utility(counts, weights, t)}
                    for t, counts in cut_cells.items()
                },
                cut_by_prompt={t: gains(pool(list(its.values())), t) for t, its in cut.items()},
                cut_curve=_curve(model, decoding, design, probable[model.label], wanted),
            )
        )
    return found


def _counts(one: Evaluation, decoding: str, keys: Sequence[str], wanted: float | None) -> PromptCounts:
    # Base ends where base ends: there is no going on to compare with.
    continuations = None if one.role == "base" else one.continuation
    return per_prompt(one.rows(decoding), keys, continuations, one.halting, wanted, one.labels)


def _cuts(
    model: Model, decoding: str, design: Design, its: Calibrated, wanted: float | None
) -> dict[float, dict[int, PromptCounts]]:
    if its.missing:
        return {}
    return {
        t: dict(zip(model.seeds, cut_counts(model, decoding, design, its, t, wanted), strict=True))
        for t in design.thresholds
    }


def _curve(model: Model, decoding: str, design: Design, its: Calibrated, wanted: float | None) -> dict[float, float]:
    """The utility of a model + cut over τ: the mean over seeds and prompts; empty where there is nothing to cut by."""
    if its.missing:
        return {}
    once = np.ones((1, len(design.prompts[decoding])))
    return {t: float(utility(pool(cut_counts(model, decoding, design, its, t, wanted)), once, t)[0]) for t in CURVE}


def _draws(
    counts: PromptCounts,
    cut: Mapping[float, PromptCounts],
    base: PromptCounts,
    untrained: Mapping[float, Floats],
    weights: Floats,
    thresholds: Sequence[float],
) -> dict[str, Floats]:
    """Draws of every measure.

    Args:
        cut: by τ, what is counted of the same + cut.
        untrained: by τ, draws of the utility of base + cut.
    """
    unknown = np.full(len(weights), np.nan)
    found = measure(counts, base, weights)
    for t in thresholds:
        earned = utility(counts, weights, t)
        own = utility(cut[t], weights, t) if t in cut else unknown
        found |= {
            f"utility@{t:g}": earned,
            f"utility_cut@{t:g}": own,
            f"utility_strict@{t:g}": strict_utility(counts, weights, t),
            f"share@{t:g}": _share(earned, untrained.get(t, unknown)),
            f"share_own@{t:g}": _share(earned, own),
        }
    return found


def _share(earned: Floats, best: Floats) -> Floats:
    """The share of the best; not defined where nothing can be earned."""
    return np.where(best > 0, divide(earned, best), np.nan)
