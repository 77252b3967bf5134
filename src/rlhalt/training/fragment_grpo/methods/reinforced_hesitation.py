"""Reinforced Hesitation (arXiv 2511.11500): +1 for a right response, 0 for a refusal, -λ for a wrong one.

    λ = τ / (1 - τ)      τ = 0.5: λ = 1 (TruthRL)      τ = 0.8: λ = 4      τ = 0.95: λ = 19

A model that is right with probability p gains p - λ (1 - p) by answering, so it should answer iff p ≥ λ / (1 + λ) = τ.
For one short answer the rewards are the τ-utility over 1 - τ. It acts per response, as `truth_rl`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlhalt.training.fragment_grpo.methods.judged import Judged
from rlhalt.training.fragment_grpo.methods.truth_rl import ternary


def rewards(group: Sequence[Judged]) -> list[float | None]:
    """A reward a response."""
    return [ternary(one, -one.threshold / (1 - one.threshold)) for one in group]
