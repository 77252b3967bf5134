"""Agreement over samples: what the policy says again and again is more likely right than what it says once.

A fragment is compared by an NLI model with each of the k other responses to the same prompt, and the samples that
entail and that contradict it are counted. The published measures are functions of these counts; they take the NLI
model's probabilities where we take its decision, as lm-polygraph does:

    support      entailed / k                            the share of samples that say so too
    consistency  1 - contradicted / k                    SelfCheckGPT-NLI, arXiv 2303.08896 (there as 1 - this)
    contrast     entailed / (entailed + contradicted)    LUQ, arXiv 2403.20279, counts summed over the samples first
    frequency    entailed - contradicted                 conformal factuality, arXiv 2402.10978; lm-polygraph's
                                                         FrequencyScoringClaim is its negative
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

from rlhalt.fragments.thinking import answer
from rlhalt.records import Fragment, Scored
from rlhalt.uncertainty.nli import NLI, Relation, relations


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How many of `samples` other responses entail and contradict a fragment; what is left is silent on it."""

    entailed: int
    contradicted: int
    samples: int

    @property
    def support(self) -> float:
        """The share of samples that entail the fragment, in [0, 1]; NaN without samples."""
        return self.entailed / self.samples if self.samples else math.nan

    @property
    def consistency(self) -> float:
        """The share of samples that do not contradict the fragment, in [0, 1]; NaN without samples."""
        return 1 - self.contradicted / self.samples if self.samples else math.nan

    @property
    def contrast(self) -> float:
        """Of the samples that take sides the share that entails the fragment, in [0, 1]; ½ where none does."""
        sides = self.entailed + self.contradicted
        return self.entailed / sides if sides else math.nan if not self.samples else 0.5

    @property
    def frequency(self) -> int:
        """Samples for less samples against, from -k to k."""
        return self.entailed - self.contradicted


def agreements(rows: Sequence[Scored], nli: NLI, whole: bool = False) -> Iterator[list[Agreement]]:
    """How the other responses to the same prompt stand to every fragment of a response.

    A sample entails a fragment where one of its own fragments does, and contradicts it where one of them does and none
    entails it. Fragments are compared by their `claim` where they have one, else by their text.

    Args:
        rows: responses with fragments, judged or not; those of one `prompt_key` are each other's samples.
        nli: asked about the pairs of one response at a time, premise from the sample.
        whole: compare with the whole text of a sample instead of its fragments, as SelfCheckGPT does; for NLI models
            that were trained on longer premises.

    Yields:
        One list a row, in order, one item a fragment.

    Raises:
        VerifierFailure: the NLI model's answers are not relations, one a pair.
    """
    prompts: dict[str, list[Scored]] = {}
    for row in rows:
        prompts.setdefault(row.prompt_key, []).append(row)
    for row in rows:
        samples = [
            [answer(other.response)] if whole else [_claim(one) for one in other.fragments if one.kind != "halt"]
            for other in prompts[row.prompt_key]
            if other is not row
        ]
        claims = [_claim(fragment) for fragment in row.fragments]
        known = relations(nli, ((premise, claim) for claim in claims for sample in samples for premise in sample))
        yield [_agreement(claim, samples, known) for claim in claims]


def _claim(fragment: Fragment) -> str:
    return fragment.claim or fragment.text


def _agreement(claim: str, samples: Sequence[Sequence[str]], known: Mapping[tuple[str, str], Relation]) -> Agreement:
    found = [{known[premise, claim] for premise in sample} for sample in samples]
    entailed = sum("entailment" in one for one in found)
    contradicted = sum("contradiction" in one and "entailment" not in one for one in found)
    return Agreement(entailed, contradicted, len(samples))
