"""EMPO (arXiv 2504.05812): a response is paid the share of its group that means the same; no labels.

    responses  B, B, B, C      rewards  0.75, 0.75, 0.75, 0.25

The mean of these rewards rises as the semantic entropy of the group falls. The paper puts responses into groups of one
meaning by an entailment model or, in maths, by the final answer; here equal words are one meaning (`rlhalt.statement`).
For many facts a response is paid the mean share of the responses that state each of its facts. No verdict is read. A
response that claims nothing is paid 0: agreement in refusing is not what EMPO looks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rlhalt.statement import statement
from rlhalt.training.fragment_grpo.methods.judged import Judged


def rewards(group: Sequence[Judged]) -> list[float | None]:
    """A reward a response, in [0, 1]."""
    stated = [{statement(one) for one in its.fragments if one.label != "halt"} for its in group]
    counts = Counter(fact for facts in stated for fact in facts)
    return [sum(counts[fact] for fact in facts) / len(facts) / len(group) if facts else 0.0 for facts in stated]
