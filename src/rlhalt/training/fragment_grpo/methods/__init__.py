"""Rewards of other online methods, one for each response of a group: `rlhalt train grpo --method NAME`.

truth_rl               +1, 0, -1 (arXiv 2509.25760)
reinforced_hesitation  +1, 0, -λ (arXiv 2511.11500)
rlcr                   correctness less the Brier score of a stated confidence (arXiv 2507.16806)
empo                   agreement with the group, no labels (arXiv 2504.05812)
judged                 what they see of a response
"""

from rlhalt.training.fragment_grpo.methods import empo, reinforced_hesitation, rlcr, truth_rl
from rlhalt.training.fragment_grpo.methods.judged import GroupReward, Judged

# A line a method. `utility` is ours: what each fragment earns at τ.
REWARDS: dict[str, GroupReward | None] = {
    "utility": None,
    "truth-rl": truth_rl.rewards,
    "reinforced-hesitation": reinforced_hesitation.rewards,
    "rlcr": rlcr.rewards,
    "empo": empo.rewards,
}

__all__ = ["REWARDS", "GroupReward", "Judged"]
