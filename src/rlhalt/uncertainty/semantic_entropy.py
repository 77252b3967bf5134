"""Semantic entropy: how many meanings the policy's own samples have where a fragment has one.

H is the entropy of the shares of the meanings (Kuhn et al., arXiv 2302.09664; Farquhar et al., Nature 630, 2024, there
"discrete"). Those papers group answers to one question by entailment in both directions. Here the group of a fragment
are the samples that say it too (`rlhalt.uncertainty.agreement`); samples that contradict it are grouped by what they
say instead (`rlhalt.statement`); a sample that is silent on it could say anything, so each is a meaning of its own, as
in `rlhalt.training_data.targets.semantic_entropy`. Nature's questions about each claim, which are
answered several times, are left out. One fact per response: as in the papers.

The certainty is e^-H, one over the effective number of meanings: 1 where all samples say the fragment, 1 / n where no
two of n agree. It is the same for all answers to one question, right or wrong, frequent or rare.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rlhalt.records import Fragment, Scored
from rlhalt.statement import statement
from rlhalt.uncertainty.nli import NLI, relations


def entropy(shares: Iterable[float]) -> float:
    """-Σ p log p, in nats."""
    return -sum(share * math.log(share) for share in shares if share)


def semantic_certainty(row: Scored, samples: Sequence[Scored], nli: NLI) -> list[float]:
    """e^-H of each fragment of a response, in [0, 1]; NaN for a halt, and without samples.

    Args:
        row: a response with fragments.
        samples: other responses to its prompt, with fragments.
        nli: says what entails and what contradicts what.
    """
    said = [[one for one in sample.fragments if one.kind != "halt"] for sample in samples]
    pairs = ((_claim(one), _claim(fragment)) for fragment in row.fragments for sample in said for one in sample)
    known = relations(nli, pairs)

    def certainty(fragment: Fragment) -> float:
        if fragment.kind == "halt" or not samples:
            return math.nan
        meanings: Counter[object] = Counter({"": 1})
        for number, sample in enumerate(said):
            relation = {known[_claim(one), _claim(fragment)]: one for one in reversed(sample)}
            if "entailment" in relation:
                meanings[""] += 1
            elif "contradiction" in relation:
                meanings[statement(relation["contradiction"])] += 1
            else:
                meanings[number] += 1
        return math.exp(-entropy(count / (len(samples) + 1) for count in meanings.values()))

    return [certainty(one) for one in row.fragments]


def among(rows: Sequence[Scored]) -> Iterator[list[Scored]]:
    """For each row the other responses to the same prompt."""
    prompts: dict[str, list[Scored]] = {}
    for row in rows:
        prompts.setdefault(row.prompt_key, []).append(row)
    for row in rows:
        yield [one for one in prompts[row.prompt_key] if one is not row]


def _claim(fragment: Fragment) -> str:
    return fragment.claim or fragment.text
