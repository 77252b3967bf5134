"""The scorer as verl's reward function. The domain and τ come from the training configuration:

reward.custom_reward_function.path=examples/verl_reward.py
reward.custom_reward_function.name=compute_score
+reward.custom_reward_function.reward_kwargs.domain=countries
+reward.custom_reward_function.reward_kwargs.threshold=0.5

Rows of `rlhalt prompts` become verl's with `reward_model.ground_truth` = the reference as JSON.
"""

from __future__ import annotations

import functools
import json

from rlhalt import FragmentReward
from rlhalt.reference import n_asked

reward_of = functools.cache(FragmentReward.of_domain)  # made once in each worker


def compute_score(data_source, solution_str, ground_truth, extra_info=None, *, domain="countries", threshold=0.5):
    """What a response earns at τ, and how many of its fragments are correct, incorrect and failed.

    A response whose scoring failed earns 0, as silence does: `failed` counts those, so watch it in the logs.
    """
    reward = reward_of(domain, threshold)
    reference = json.loads(ground_truth) if isinstance(ground_truth, str) else ground_truth
    fragments = reward.judge(solution_str, reference).result()
    total = reward.earned(fragments, n_asked(reference)).total
    labels = [one.label for one in fragments]
    return {
        "score": 0.0 if total is None else total,
        "correct": labels.count("correct"),
        "incorrect": labels.count("incorrect"),
        "failed": labels.count(None),
    }


if __name__ == "__main__":
    facts = "Kenya is in Africa. The capital of Kenya is Mombasa."
    print(compute_score("countries", facts, json.dumps({"subject": "Kenya"}), threshold=0.8))
