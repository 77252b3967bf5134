"""Rewards of other online methods, one for each response of a group: `rlhalt train grpo --method NAME`.

truth_rl               +1, 0, -1 (arXiv 2509.25760)
reinforced_hesitation  +1, 0, -λ (arXiv 2511.11500)
rlcr                   correctness less the Brier score of a stated confidence (arXiv 2507.16806)
empo                   agreement with the group, no labels (arXiv 2504.05812)
judged                 what they see of a response
"""

from __future__ import annotations

import dataclasses

from rlhalt.training.fragment_grpo.methods import empo, reinforced_hesitation, rlcr, truth_rl
from rlhalt.training.fragment_grpo.methods.judged import GroupReward, Judged


@dataclasses.dataclass(frozen=True)
class Method:
    """One online method.

    Attributes:
        rewards: what a group is paid; None for ours, which pays each fragment.
        per_tau: whether the rewards depend on τ; a recipe trains such a method at every τ, and its model has a τ.
        start: the supervised model that a recipe trains it from.
    """

    rewards: GroupReward | None
    per_tau: bool = False
    start: str = "sft"


# A line a method. `utility` is ours: what each fragment earns at τ.
REWARDS = {
    "utility": Method(None, per_tau=True),
    "truth-rl": Method(truth_rl.rewards),
    "reinforced-hesitation": Method(reinforced_hesitation.rewards, per_tau=True),
    "rlcr": Method(rlcr.rewards, start="confidence-num"),
    "empo": Method(empo.rewards),
}

__all__ = ["REWARDS", "GroupReward", "Judged", "Method"]
