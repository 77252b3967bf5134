"""CRaFT (arXiv 2410.06913): refusal where the model is wrong and unsure, the answer where it is right and sure.

    prompt   correct  certain   after rehearsal   target
    1        0.9      0.8                          the answer
    2        0.6      0.1                          none: right but unsure (static conflict)
    3        0.2      0.9                          none: wrong but sure (static conflict)
    4        0.1      0.1       0.0                the refusal
    5        0.1      0.1       0.4                none: training would make it known (dynamic conflict)

Refusal-aware tuning by correctness alone gives like prompts unlike targets, and refuses what training would have
taught. CRaFT keeps the prompts in which correctness and certainty agree, and drops refusals of prompts of which a model
that was rehearsed on the data knows more (its knowledge flow).

- Correctness: the expected accuracy of the N responses, ½ parts known from unknown.
- Certainty: how alike the N responses are. The paper takes the mean cosine of their embeddings, here it is the mean
  share of facts that two of them have in common (`rlhalt.statement`), which needs no second model.
- The paper keeps fixed numbers, the most certain of the known and the least certain of the unknown; here the half of
  each, at least one.
- Rehearsal: `others` holds scored responses of the rehearsed model (the SFT model, say) to the same prompts. Without
  them the result is the paper's Cor-Cer-RAIT, which has no flow.

The answer is the reference's where it has one, as in the paper, else the most correct response. It acts per response,
for one fact and for many.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.statement import statement
from rlhalt.training_data.pieces import claims, finished, target, whole
from rlhalt.training_data.targets.alignment_for_honesty import expected_accuracy, most_correct
from rlhalt.training_data.targets.reference import answer
from rlhalt.training_data.targets.selection import by_prompt

KNOWN = 0.5


def certainty(group: Sequence[Scored]) -> float:
    """The mean share of facts that two responses to a prompt have in common, in [0, 1]; 1 for a lone response."""
    said = [{statement(finished(row)[at]) for at in claims(row)} for row in group]
    common = [len(one & other) / max(len(one | other), 1) for one, other in itertools.combinations(said, 2)]
    return sum(common) / len(common) if common else 1.0


def targets(rows: Iterable[Scored], others: Iterable[Scored] = (), phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """At most one target a prompt, in the order of the prompts.

    Args:
        others: scored responses of the rehearsed model; none for CRaFT without flow.
    """
    rehearsed = {group[0].prompt_key: expected_accuracy(group) for group in by_prompt(others)}
    known, unknown = [], []
    for place, group in enumerate(by_prompt(rows)):
        accuracy = expected_accuracy(group)
        if accuracy is None:
            continue
        if accuracy >= KNOWN:
            row = most_correct(group)
            made = target(row, answer(row) or "".join(whole(row)), "craft")
            known.append((-certainty(group), place, made))
            continue
        after = rehearsed.get(group[0].prompt_key)
        # Without responses of the rehearsed model to this prompt nothing says that it would become known.
        if after is None or after <= accuracy:
            unknown.append((certainty(group), place, target(group[0], phrase, "craft")))
    kept = [one for half in (known, unknown) for one in sorted(half)[: (len(half) + 1) // 2]]
    yield from (made for _, _, made in sorted(kept, key=lambda one: one[1]))
