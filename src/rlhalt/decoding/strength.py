"""How strongly a steered model is shifted: as strongly as earns most on training prompts.

The paper of ITI sweeps its strength α on a validation set and takes 15 for a model of 7B; one number for all models
breaks the small ones, which then repeat a sentence up to the limit of tokens.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Sequence

from rlhalt.decoding.setup import Setup
from rlhalt.errors import VerifierFailure
from rlhalt.records import Scored
from rlhalt.reference import n_asked
from rlhalt.rewards import response_reward
from rlhalt.running.progress import track
from rlhalt.sampling import Completion, Engine

STRENGTHS = (1.0, 3.0, 5.0, 10.0, 15.0)
PROMPTS, TOKENS = 24, 128


def strongest(at: Callable[[float], Engine], rows: Sequence[Scored], setup: Setup) -> Engine:
    """The engine whose strength earns the greatest mean τ-utility on the first prompts of some scored responses.

    A response that is cut off costs τ. Of equally good strengths the least counts.

    Args:
        at: makes the engine of a strength.

    Raises:
        VerifierFailure: no response with a verdict.
    """
    asked = list({row.prompt_key: row for row in reversed(rows)}.values())[::-1][:PROMPTS]
    chats = [[*setup.few_shot, *row.prompt] for row in asked]
    utility = {}
    for one in track(STRENGTHS, "strength"):
        said = at(one).complete(chats, temperature=0.0, max_tokens=TOKENS, seed=0)
        earned = [_earned(its, row, setup) for its, row in zip(said, asked, strict=True)]
        known = [value for value in earned if value is not None]
        utility[one] = statistics.mean(known) if known else -math.inf
    if max(utility.values()) == -math.inf:
        raise VerifierFailure(f"expected verdicts on responses to {len(asked)} training prompts, found none")
    best = max(utility, key=lambda one: utility[one])
    told = ", ".join(f"{value:.2f} at {one:g}" for one, value in utility.items())
    print(f"strength {best:g}: on {len(asked)} training prompts it earns {told}", file=sys.stderr)
    return at(best)


def _earned(said: Completion, row: Scored, setup: Setup) -> float | None:
    fragments = setup.scorer.judge(said.text, row.reference, prompt=row.prompt)
    reward = response_reward(fragments, setup.threshold, setup.scorer.halting, n_asked(row.reference))
    if reward is None or said.finish_reason == "stop":
        return reward
    return reward - setup.threshold
