"""What is counted in a response, and the measures made from the counts.

A *claim* is a fragment labelled correct, incorrect or unverifiable. A halt is no claim, and neither is a failed
fragment, which is counted apart. Counts are averaged over the responses to a prompt first, so that every prompt weighs
the same however often it was sampled; everything else is sums over prompts. See `DEFINITIONS` for the measures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rlhalt.credit import Halting, counted, statement
from rlhalt.evaluation.bootstrap import Floats, divide, ratio
from rlhalt.records import Continuation, Scored

DEFINITIONS = {
    "correctness": "correct / (correct + incorrect) claims, summed over prompts (micro)",
    "correctness_macro": "the same for each prompt, averaged over the prompts with a decided claim (macro)",
    "completeness": "correct claims a response / those of base under the same decoding",
    "f1": "2PR / (P + R) of correctness P and completeness R, R capped at 1",
    "right": "correct claims a response",
    "wrong": "incorrect claims a response",
    "unverifiable": "unverifiable claims a response",
    "claims": "correct, incorrect and unverifiable fragments a response",
    "tokens": "generated tokens a response",
    "halt_rate": "share of responses that say they halt",
    "empty_share": "share of responses without any claim",
    "duplicate_share": "share of claims that repeat an earlier one of the same response",
    "failed_share": "share of fragments, halts aside, on which the verifier broke",
    "over_abstention": "of the endings where base would have gone on, the share where its next fragment is correct",
}


@dataclasses.dataclass(frozen=True)
class Counts:
    """One response in numbers; averaged, the same for a prompt.

    Attributes:
        duplicates: claims that repeat an earlier claim of the response.
        halted: 1 where a fragment is a halt.
        empty: 1 where there is no claim.
        continued: 1 where the response ended, base would have gone on, and its next fragment got a verdict.
        held_back: 1 where, besides, that next fragment is correct.
    """

    correct: float
    incorrect: float
    unverifiable: float
    failed: float
    duplicates: float
    tokens: float
    halted: float
    empty: float
    continued: float
    held_back: float

    @property
    def claims(self) -> float:
        """Correct, incorrect and unverifiable fragments."""
        return self.correct + self.incorrect + self.unverifiable


FIELDS = tuple(field.name for field in dataclasses.fields(Counts))


def count(row: Scored, continuation: Continuation | None = None, halting: Halting = "independent") -> Counts:
    """Count one response; what counts is what earns, see `rlhalt.credit.counted`.

    A response cut off at the token limit did not end, and a continuation whose verifier failed has no verdict: neither
    says anything about abstention.
    """
    labels = counted(row.fragments, halting)
    claims = [
        statement(fragment)
        for fragment, label in zip(row.fragments, labels, strict=True)
        if label in ("correct", "incorrect", "unverifiable")
    ]
    ended = continuation is not None and row.finish_reason != "length" and bool(continuation.text.strip())
    next_label = continuation.label if continuation is not None and ended else None
    return Counts(
        correct=labels.count("correct"),
        incorrect=labels.count("incorrect"),
        unverifiable=labels.count("unverifiable"),
        failed=sum(fragment.failed for fragment in row.fragments),
        duplicates=len(claims) - len(set(claims)),
        tokens=row.n_tokens,
        halted=float("halt" in labels),
        empty=float(not claims),
        continued=float(next_label is not None),
        held_back=float(next_label == "correct"),
    )


@dataclasses.dataclass(frozen=True)
class PromptCounts:
    """The mean counts of every prompt: one row a prompt, one column a field of `Counts`."""

    values: Floats

    def __getitem__(self, field: str) -> Floats:
        return self.values[:, FIELDS.index(field)]

    @property
    def decided(self) -> Floats:
        """Claims that are right or wrong."""
        return self["correct"] + self["incorrect"]

    @property
    def claims(self) -> Floats:
        """Claims, decided or not."""
        return self.decided + self["unverifiable"]


def per_prompt(
    rows: Iterable[Scored],
    prompt_keys: Sequence[str],
    continuations: Mapping[str, Continuation] | None = None,
    halting: Halting = "independent",
) -> PromptCounts:
    """Mean counts over the responses to each prompt, in the order of `prompt_keys`, each of which has a response."""
    position = {key: i for i, key in enumerate(prompt_keys)}
    sums, responses = np.zeros((len(prompt_keys), len(FIELDS))), np.zeros((len(prompt_keys), 1))
    for row in rows:
        counts = count(row, (continuations or {}).get(row.key), halting)
        sums[position[row.prompt_key]] += dataclasses.astuple(counts)
        responses[position[row.prompt_key]] += 1
    return PromptCounts(sums / responses)


def pool(seeds: Sequence[PromptCounts]) -> PromptCounts:
    """The mean over training seeds."""
    return PromptCounts(np.mean([seed.values for seed in seeds], axis=0))


def f1(correctness: Floats, completeness: Floats) -> Floats:
    """2PR / (P + R) with R capped at 1 (HALT, arXiv 2506.04051); 0 where P = R = 0.

    A model may state more right facts than base, R > 1; uncapped, verbosity could make up for being wrong.
    """
    recall = np.minimum(completeness, 1)
    score = divide(2 * correctness * recall, correctness + recall)
    return np.where(correctness + recall == 0, 0.0, score)


def measure(counts: PromptCounts, base: PromptCounts, weights: Floats) -> dict[str, Floats]:
    """Draws of every measure of `DEFINITIONS`, by name (see `bootstrap`)."""
    right, decided, claims = counts["correct"], counts.decided, counts.claims
    prompts = np.ones_like(right)
    correctness = ratio(weights, right, decided)
    completeness = ratio(weights, right, base["correct"])
    return {
        "correctness": correctness,
        "correctness_macro": ratio(weights, np.nan_to_num(divide(right, decided)), (decided > 0).astype(np.float64)),
        "completeness": completeness,
        "f1": f1(correctness, completeness),
        "right": ratio(weights, right, prompts),
        "wrong": ratio(weights, counts["incorrect"], prompts),
        "unverifiable": ratio(weights, counts["unverifiable"], prompts),
        "claims": ratio(weights, claims, prompts),
        "tokens": ratio(weights, counts["tokens"], prompts),
        "halt_rate": ratio(weights, counts["halted"], prompts),
        "empty_share": ratio(weights, counts["empty"], prompts),
        "duplicate_share": ratio(weights, counts["duplicates"], claims),
        "failed_share": ratio(weights, counts["failed"], claims + counts["failed"]),
        "over_abstention": ratio(weights, counts["held_back"], counts["continued"]),
    }


def utility(counts: PromptCounts, weights: Floats, threshold: float) -> Floats:
    """Draws of the mean τ-utility a response: 1 - τ for a correct claim, -τ for an incorrect one, 0 for anything else.

    A claim that is right with probability p gains p - τ when it is made: speaking pays exactly where p ≥ τ.
    """
    gain = (1 - threshold) * counts["correct"] - threshold * counts["incorrect"]
    return ratio(weights, gain, np.ones_like(gain))
