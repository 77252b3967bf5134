"""Expert iteration (Anthony et al., arXiv 1705.08439; for language models STaR, 2203.14465, and ReST-EM, 2312.06585).

    responses earn 0.5, 1.0 and -0.5 at τ  →  the second one, as it is

Of a prompt's N responses the one with the highest reward is imitated, if its reward is above 0; a prompt without one
gives no target. The reward is the τ-utility of the response (`rlhalt.rewards.response_reward`), which for one short
answer is above 0 iff the answer is right, as in the papers. Nothing is taken out of a response, so wrong fragments
beside more right ones are imitated too. It acts per response.

One call is one iteration. The next one samples from the trained model: `rlhalt sample --model`, then `score`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.records import Scored, Target
from rlhalt.rewards import check_threshold
from rlhalt.training_data.pieces import target, whole
from rlhalt.training_data.styles import Style
from rlhalt.training_data.targets.selection import by_prompt, rewarded


def targets(rows: Iterable[Scored], style: Style, threshold: float) -> Iterator[Target]:
    """At most one target a prompt; of equal responses the first.

    Raises:
        InputError: τ outside (0, 1).
    """
    check_threshold(threshold)
    for group in by_prompt(rows):
        earned = rewarded(group, style, threshold)
        most, row = max(earned, key=lambda one: one[0], default=(0.0, group[0]))
        if most > 0:
            yield target(row, "".join(whole(row)), "expert-iteration")
