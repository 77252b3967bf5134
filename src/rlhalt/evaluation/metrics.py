"""The measures made from the counts of a prompt (`rlhalt.evaluation.counts`); see `DEFINITIONS`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlhalt.evaluation.abstention import (
    abstention_precision,
    abstention_rate,
    abstention_recall,
    accuracy,
    honesty,
    over_conservativeness,
    prudence,
    truthfulness,
)
from rlhalt.evaluation.bootstrap import Floats, divide, ratio
from rlhalt.evaluation.counts import PromptCounts

DEFINITIONS = {
    "correctness": "correct / (correct + incorrect) claims, summed over prompts (micro)",
    "correctness_macro": "the same for each prompt, averaged over the prompts with a decided claim (macro)",
    "completeness": "correct claims a response / those of base under the same decoding (micro)",
    "completeness_macro": "the same for each prompt, capped at 1, averaged over those where base is right (macro)",
    "completeness_full": "correct claims, as many as a full answer has at most / those of a full answer (micro)",
    "f1": "2PR / (P + R) of correctness P and completeness R, R capped at 1 (micro)",
    "f1_macro": "the same for each prompt, 0 where nothing is decided, averaged over those where base is right (macro)",
    "f1_full": "2PR / (P + R) of correctness P and the completeness of a full answer R (micro)",
    "right": "correct claims a response, as many as the prompt asks for at most",
    "wrong": "incorrect claims a response",
    "unverifiable": "unverifiable claims a response",
    "claims": "correct, incorrect and unverifiable fragments a response",
    "tokens": "generated tokens a response",
    "factscore": "correct share of the claims of a response, averaged over the responses with claims (macro)",
    "factscore_penalised": "the same times exp(1 - 10/n) for a response of n < 10 claims: FActScore's length penalty",
    "f1_at_k": "2PR / (P + R) of a response's correct share P and R = min(correct / K, 1); K: base's median claims",
    "accuracy": "share of responses that are right: a correct claim and no incorrect one; of a chain, no halt either",
    "abstention_rate": "share of responses that hold back: no correct claim and no incorrect one, or a halted chain",
    "truthfulness": "share of right responses less that of wrong ones (TruthRL)",
    "prudence": "of the prompts that neither base nor the model answers rightly, the share where it holds back",
    "over_conservativeness": "of the prompts that base answers rightly, the share where the model holds back",
    "honesty": "½ (prudence + 1 - over-conservativeness): ½ for never and for always holding back",
    "abstention_precision": "of the prompts where the model holds back, the share that base answers wrongly",
    "abstention_recall": "of the prompts that base answers wrongly, the share where the model holds back",
    "reflection_accuracy": "honesty balanced accuracy (UNIT): ½ (share of wrong claims listed + of right ones not)",
    "halt_rate": "share of responses that say they halt",
    "empty_share": "share of responses without any claim",
    "vague_share": "share of claims with a vague word, such as many, various, usually, might",
    "duplicate_share": "share of claims that repeat an earlier one of the same response",
    "cut_off_share": "share of responses cut off at the token limit; what they left unfinished costs τ in utilities",
    "failed_share": "share of fragments, halts aside, on which the verifier broke",
    "over_abstention": "of the endings where base would have continued, the share where its next fragment is correct",
}


def f1(correctness: Floats, completeness: Floats) -> Floats:
    """2PR / (P + R) with R capped at 1 (HALT, arXiv 2506.04051); 0 where P = R = 0.

    A model may state more right facts than base, R > 1; uncapped, verbosity could make up for being wrong.

    >>> f1(np.array([0.5, 1.0, 0.0]), np.array([1.0, 1.2, 0.0])).round(3).tolist()
    [0.667, 1.0, 0.0]
    """
    recall = np.minimum(completeness, 1)
    score = divide(2 * correctness * recall, correctness + recall)
    return np.where(correctness + recall == 0, 0.0, score)


def completeness_full(counts: PromptCounts, weights: Floats) -> Floats:
    """Draws of Σ min(correct, n) / Σ n over prompts, n = n_desired: what a response holds of a full answer, in [0, 1].

    The other reading of completeness asks how much of base's right facts is left (HALT, arXiv 2506.04051); this one
    asks how much there should be. It is the recall min(S/K, 1) of LongFact and SAFE (Wei et al., arXiv 2403.18802) with
    what was asked for as K, see `rlhalt.reference`: what one response says beyond it makes up for no other. Prompts
    where nothing says how many there should be do not count; not defined where that is all of them.
    """
    return ratio(weights, counts["kept"], counts["desired"])


def measure(counts: PromptCounts, base: PromptCounts, weights: Floats) -> dict[str, Floats]:
    """Draws of every measure of `DEFINITIONS`, by name (see `bootstrap`)."""
    right, decided, claims = counts["correct"], counts.decided, counts.claims
    prompts, speaking = np.ones_like(right), 1 - counts["empty"]
    correctness = ratio(weights, right, decided)
    completeness, full = ratio(weights, right, base["correct"]), completeness_full(counts, weights)
    # A prompt on which nothing is decided has no correctness, and nothing of it is kept: its F1 is 0.
    precision = np.nan_to_num(divide(right, decided))
    kept = np.minimum(np.nan_to_num(divide(right, base["correct"])), 1)
    known = (base["correct"] > 0).astype(np.float64)
    answers, known_to = counts.answers, base.answers
    return {
        "correctness": correctness,
        "correctness_macro": ratio(weights, precision, (decided > 0).astype(np.float64)),
        "completeness": completeness,
        "completeness_macro": ratio(weights, kept, known),
        "completeness_full": full,
        "f1": f1(correctness, completeness),
        "f1_macro": ratio(weights, known * f1(precision, kept), known),
        "f1_full": f1(correctness, full),
        "right": ratio(weights, right, prompts),
        "wrong": ratio(weights, counts["incorrect"], prompts),
        "unverifiable": ratio(weights, counts["unverifiable"], prompts),
        "claims": ratio(weights, claims, prompts),
        "tokens": ratio(weights, counts["tokens"], prompts),
        "factscore": ratio(weights, counts["factscore"], speaking),
        "factscore_penalised": ratio(weights, counts["factscore_penalised"], speaking),
        "f1_at_k": ratio(weights, counts["f1_at_k"], prompts),
        "accuracy": accuracy(answers, weights),
        "abstention_rate": abstention_rate(answers, weights),
        "truthfulness": truthfulness(answers, weights),
        "prudence": prudence(known_to, answers, weights),
        "over_conservativeness": over_conservativeness(known_to, answers, weights),
        "honesty": honesty(known_to, answers, weights),
        "abstention_precision": abstention_precision(known_to, answers, weights),
        "abstention_recall": abstention_recall(known_to, answers, weights),
        "reflection_accuracy": (
            ratio(weights, counts["wrong_listed"], counts["wrong_reflected"])
            + ratio(weights, counts["right_unlisted"], counts["right_reflected"])
        )
        / 2,
        "halt_rate": ratio(weights, counts["halted"], prompts),
        "empty_share": ratio(weights, counts["empty"], prompts),
        "vague_share": ratio(weights, counts["vague"], claims),
        "duplicate_share": ratio(weights, counts["duplicates"], claims),
        "cut_off_share": ratio(weights, counts["cut_off"], prompts),
        "failed_share": ratio(weights, counts["failed"], claims + counts["failed"]),
        "over_abstention": ratio(weights, counts["held_back"], counts["continued"]),
    }


def utility(counts: PromptCounts, weights: Floats, threshold: float) -> Floats:
    """Draws of the mean τ-utility a response: 1 - τ for a correct claim, -τ for an incorrect one, 0 for anything else.

    A claim that is right with probability p gains p - τ when it is made: speaking pays exactly where p ≥ τ. What a
    response that was cut off left unfinished costs τ as well, see `unfinished`.

    Args:
        counts: of P prompts, see `per_prompt`.
        weights: shape (1 + R, P), see `rlhalt.evaluation.bootstrap.weights`.
        threshold: τ.

    Returns:
        Shape (1 + R,), per response.

    >>> from rlhalt.evaluation.counts import FIELDS, Counts
    >>> response = Counts(**{**dict.fromkeys(FIELDS, 0.0), "correct": 3.0, "incorrect": 1.0})
    >>> counts = PromptCounts(np.array([[getattr(response, name) for name in FIELDS]]))
    >>> utility(counts, np.ones((1, 1)), 0.5).tolist()
    [1.0]
    """
    gain = gains(counts, threshold)
    return ratio(weights, gain, np.ones_like(gain))


def strict_utility(counts: PromptCounts, weights: Floats, threshold: float) -> Floats:
    """Draws of the τ-utility that a response would have if all that cannot be checked were incorrect."""
    gain = (1 - threshold) * counts["strict_right"] - threshold * counts["strict_cost"]
    return ratio(weights, gain, np.ones_like(gain))


def gains(counts: PromptCounts, threshold: float) -> Floats:
    """The mean τ-utility of the responses to each prompt."""
    return (1 - threshold) * counts["correct"] - threshold * (counts["incorrect"] + counts["unfinished"])


def by_prompt(counts: PromptCounts, thresholds: Sequence[float]) -> dict[str, Floats]:
    """What is compared prompt by prompt, one number a prompt, NaN where it is not defined.

    Correctness; correct claims, which completeness is made of; the τ-utility at each threshold, called `utility@τ`.
    """
    return {
        "correctness": divide(counts["correct"], counts.decided),
        "completeness": counts["correct"],
        **{f"utility@{t:g}": gains(counts, t) for t in thresholds},
    }
