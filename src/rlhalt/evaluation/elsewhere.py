"""What models do outside of their domain, beside base: did training take away what it was not about?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from rlhalt.evaluation.bootstrap import Estimate, Floats, crossed, estimate, ratio, seed_weights, weights
from rlhalt.evaluation.design import Design
from rlhalt.evaluation.general import General


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """One model, its seeds averaged; intervals over its seeds, and windows of the text or instructions.

    Attributes:
        seeds: evaluations that were measured.
        bits: a byte of the text; lower is better. Not defined where no text was read.
        perplexity: a token of the same, 2 to the bits a token: only of one tokenizer comparable.
        right: the share of the instructions that were followed.
        bits_more, right_more: the same less those of base, paired.
    """

    model: str
    seeds: int
    bits: Estimate
    perplexity: Estimate
    right: Estimate
    bits_more: Estimate
    right_more: Estimate


def elsewhere(plan: Design) -> list[Elsewhere]:
    """Every model that was measured, in their order; nothing is less than base's where base was not."""
    measured = {
        model.label: its
        for model in plan.models
        if (its := {one.seed: one.general for one in model.evaluations if one.general is not None})
    }
    drawn = {label: _draws(its, plan) for label, its in measured.items()}
    unknown = np.full(1, np.nan)
    base_bits, _, base_right = drawn.get(plan.base.label, (unknown, unknown, unknown))
    return [
        Elsewhere(
            model=label,
            seeds=len(measured[label]),
            bits=estimate(bits),
            perplexity=estimate(perplexity),
            right=estimate(right),
            bits_more=estimate(bits - base_bits),
            right_more=estimate(right - base_right),
        )
        for label, (bits, perplexity, right) in drawn.items()
    ]


def _draws(its: Mapping[int, General], plan: Design) -> tuple[Floats, Floats, Floats]:
    windows = [window for one in its.values() for window in one.windows]
    bits, tokens, size = (
        np.array([getattr(window, name) for window in windows], dtype=np.float64)
        for name in ("bits", "tokens", "bytes")
    )
    right = np.concatenate([np.asarray(one.right, dtype=np.float64) for one in its.values()])
    seeds = seed_weights(tuple(its), plan.seed, plan.resamples)
    over_text, over_instructions = (
        crossed(seeds, weights(len(one) // len(its), plan.seed, plan.resamples)) for one in (tokens, right)
    )
    return (
        ratio(over_text, bits, size),
        2 ** ratio(over_text, bits, tokens),
        ratio(over_instructions, right, np.ones_like(right)),
    )
