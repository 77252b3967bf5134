"""What models do outside of their domain, beside base: did training take away what it was not about?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate, ratio, weights
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.general import General


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """One model, its seeds averaged; intervals over windows of the text and over instructions.

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


def elsewhere(groups: Mapping[str, Sequence[Evaluation]], seed: int, resamples: int) -> list[Elsewhere]:
    """Every model that was measured, in their order; nothing is less than base's where base was not."""
    measured = {
        label: its
        for label, group in groups.items()
        if (its := [one.general for one in group if one.general is not None])
    }
    drawn = {label: _draws(its, seed, resamples) for label, its in measured.items()}
    unknown = np.full(1, np.nan)
    base_bits, _, base_right = drawn.get("base", (unknown, unknown, unknown))
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


def _draws(its: Sequence[General], seed: int, resamples: int) -> tuple[Floats, Floats, Floats]:
    bits = np.mean([[window.bits for window in one.windows] for one in its], axis=0)
    tokens, size = (
        np.array([getattr(window, name) for window in its[0].windows], dtype=np.float64) for name in ("tokens", "bytes")
    )
    right = np.mean([one.right for one in its], axis=0)
    over_text, over_instructions = (weights(len(one), seed, resamples) for one in (tokens, right))
    return (
        ratio(over_text, bits, size),
        2 ** ratio(over_text, bits, tokens),
        ratio(over_instructions, right, np.ones_like(right)),
    )
