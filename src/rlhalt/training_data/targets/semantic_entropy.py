"""Abstention tuning by semantic entropy (arXiv 2410.17234): silence where the model's own samples disagree; no labels.

    What is the capital?  N = 4 samples: B, B, B, C.  H = -¾ log ¾ - ¼ log ¼ = 0.56, e^-H = 0.57
    spoken at τ = 0.5 ("B"), refused at τ = 0.6

The samples are put into groups of one meaning; the semantic entropy H is that of the shares of the groups (Kuhn et al.,
arXiv 2302.09664, the discrete form). Where H is above a threshold the target is the refusal, else the model's own
answer out of the greatest group. The paper leaves the threshold free; here it is -log τ, so that e^H, the effective
number of meanings, may be 1/τ at most. The paper groups by entailment in both directions, here equal words are one
meaning (`rlhalt.statement`). No verdict is read.

- One fact per response, or a chain: per response. The meaning of a chain is its last fragment, where its result is.
- Many facts per response: per fragment. Of a fact stated by a share p of the N responses, what the others say instead
  is unknown; each counts as a meaning of its own, the most that the entropy can be: H = -p log p + (1 - p) log N.
  Facts with a greater H are left out of the response that states most of the rest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.rewards import check_threshold
from rlhalt.statement import statement
from rlhalt.training_data.pieces import claims, compose, finished, target, whole
from rlhalt.training_data.styles import Style
from rlhalt.training_data.targets.selection import by_prompt, one_answer
from rlhalt.training_data.targets.self_consistency import agreement
from rlhalt.uncertainty.semantic_entropy import entropy


def targets(rows: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """One target a prompt; none where no response makes a claim.

    Raises:
        InputError: τ outside (0, 1).
    """
    # With two meanings of equal share H is log 2, and not above -log ½ by rounding.
    most = 1e-9 - math.log(check_threshold(threshold))
    for group in by_prompt(rows):
        speaking = [row for row in group if claims(row)]
        if speaking:
            short = all(one_answer(row, style) for row in group)
            row, text = _whole(speaking, len(group), most) if short else _parts(group, most)
            yield target(row, text or phrase, "semantic-entropy")


def _whole(group: Sequence[Scored], size: int, most: float) -> tuple[Scored, str]:
    meanings = [statement(finished(row)[claims(row)[-1]]) for row in group]
    counts = Counter(meanings)
    # Responses without a claim refuse, which is one meaning more.
    found = entropy(count / size for count in (*counts.values(), size - len(group)))
    row = group[meanings.index(counts.most_common(1)[0][0])]
    return row, "".join(whole(row)) if found <= most else ""


def _parts(group: Sequence[Scored], most: float) -> tuple[Scored, str]:
    size = len(group)
    kept = [
        [at for at in claims(row) if entropy([shares[at]]) + (1 - shares[at]) * math.log(size) <= most]
        for row, shares in zip(group, agreement(group), strict=True)
    ]
    row, said = max(zip(group, kept, strict=True), key=lambda one: len(one[1]))
    return row, compose(row.response, finished(row), said)
