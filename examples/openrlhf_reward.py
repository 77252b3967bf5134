"""The scorer as OpenRLHF's reward function: --reward.remote_url examples/openrlhf_reward.py

RLHALT_DOMAIN and RLHALT_THRESHOLD name the domain and τ. The label of each row is its reference as JSON.
"""

from __future__ import annotations

import json
import os

from rlhalt import FragmentReward
from rlhalt.reference import n_asked

reward = FragmentReward.of_domain(
    os.environ.get("RLHALT_DOMAIN", "countries"), float(os.environ.get("RLHALT_THRESHOLD", "0.5"))
)


def reward_func(queries, prompts, labels):
    """Rewards of B responses; a query is the prompt followed by the response, with the tokens that end a turn."""
    rewards, failed = [], 0
    for query, prompt, label in zip(queries, prompts, labels, strict=True):
        reference = json.loads(label)
        response = query.removeprefix(prompt).split("<|im_end|>")[0].removesuffix("</s>").strip()
        total = reward.earned(reward.judge(response, reference).result(), n_asked(reference)).total
        # Failed is not wrong: it earns what silence earns.
        failed += total is None
        rewards.append(0.0 if total is None else total)
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"failed": failed}}


if __name__ == "__main__":
    asked = "State facts about Kenya.\n"
    print(reward_func([f"{asked}Kenya is in Africa.<|im_end|>"], [asked], [json.dumps({"subject": "Kenya"})]))
