"""What is counted in a response, and of each prompt over its responses.

A *claim* is a fragment labelled correct, incorrect or unverifiable. A halt is no claim, and neither is a sentence that
says how sure the response is (`rlhalt.fragments.stated_confidence`) or a failed fragment, which is counted apart.
Counts are averaged over the responses to a prompt first, so that every prompt weighs the same however often it was
sampled; everything else (`rlhalt.evaluation.metrics`) is sums over prompts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rlhalt.evaluation.abstention import Answers, answer
from rlhalt.evaluation.bootstrap import Floats
from rlhalt.evaluation.longform import PENALTY_BELOW, f1_at, factscore, is_vague
from rlhalt.evaluation.reflection import reflected
from rlhalt.fragments.stated_confidence import is_confidence
from rlhalt.records import Continuation, Label, Scored
from rlhalt.reference import n_asked, n_desired
from rlhalt.rewards import Halting, counted
from rlhalt.statement import statement


@dataclasses.dataclass(frozen=True)
class Counts:
    """One response in numbers; averaged, the same for a prompt.

    Attributes:
        duplicates: claims that repeat an earlier claim of the response.
        vague: claims with a vague word, see `longform.is_vague`.
        halted: 1 where a fragment is a halt.
        empty: 1 where there is no claim.
        factscore, factscore_penalised: see `longform.factscore`; 0 where there is no claim.
        f1_at_k: see `longform.f1_at`; NaN without a K.
        desired: n_desired, the right claims of a full answer, see `rlhalt.reference`; 0 where nothing says how many.
        kept: correct claims, `desired` of them at most.
        answer_right, answer_wrong, answer_held_back: 1 where the response as one answer is that, see `answers.answer`.
        right_reflected, wrong_reflected: correct and incorrect fragments of a response with a reflection.
        right_unlisted, wrong_listed: those of them that the reflection rightly leaves out and rightly lists.
        cut_off: 1 where the response ran into the token limit.
        unfinished: 1 where it did and what it left unfinished costs τ, see `unfinished`.
        strict_right, strict_cost: correct claims, and what costs τ, if all that cannot be checked were incorrect.
        continued: 1 where the response ended, base would have continued, and its next fragment got a verdict.
        held_back: 1 where, besides, that next fragment is correct.
    """

    correct: float
    incorrect: float
    unverifiable: float
    failed: float
    duplicates: float
    vague: float
    tokens: float
    halted: float
    empty: float
    factscore: float
    factscore_penalised: float
    f1_at_k: float
    desired: float
    kept: float
    answer_right: float
    answer_wrong: float
    answer_held_back: float
    right_reflected: float
    wrong_reflected: float
    right_unlisted: float
    wrong_listed: float
    cut_off: float
    unfinished: float
    strict_right: float
    strict_cost: float
    continued: float
    held_back: float

    @property
    def claims(self) -> float:
        """Correct, incorrect and unverifiable fragments."""
        return self.correct + self.incorrect + self.unverifiable


FIELDS = tuple(field.name for field in dataclasses.fields(Counts))


def count(
    row: Scored,
    continuation: Continuation | None = None,
    halting: Halting = "independent",
    wanted: float | None = None,
    labels: Sequence[Label | None] | None = None,
) -> Counts:
    """Count one response; what counts is what earns, see `rlhalt.rewards.counted`: correct claims beyond the number
    that the prompt asks for are counted as unverifiable ones.

    A response cut off at the token limit did not end, and a continuation whose verifier failed has no verdict: neither
    says anything about abstention.

    Args:
        wanted: the K of F1@K, in claims.
        labels: the verdicts as they count, where they are known already (`rlhalt.evaluation.folder.Evaluation.labels`).
    """
    if labels is None:
        labels = counted(row.fragments, halting, n_asked(row.reference))
    strict = _strict(row, labels, halting)
    claims = [
        fragment
        for fragment, label in zip(row.fragments, labels, strict=True)
        if label in ("correct", "incorrect", "unverifiable") and not is_confidence(fragment)
    ]
    right, n = labels.count("correct"), len(claims)
    incorrect = labels.count("incorrect")
    full = n_desired(row.reference) or 0
    cut_off = row.finish_reason == "length"
    whole = answer(labels, halting, cut_off)
    verdicts = reflected(row)
    next_label = continued(row, continuation)
    return Counts(
        correct=right,
        incorrect=incorrect,
        unverifiable=n - right - incorrect,
        failed=sum(fragment.failed for fragment in row.fragments),
        duplicates=n - len({statement(one) for one in claims}),
        vague=sum(is_vague(one.claim or one.text) for one in claims),
        tokens=row.n_tokens,
        halted=float("halt" in labels),
        empty=float(not claims),
        factscore=factscore(right, n) if n else 0.0,
        factscore_penalised=factscore(right, n, PENALTY_BELOW) if n else 0.0,
        f1_at_k=f1_at(wanted or 0, right, n),
        desired=full,
        kept=min(right, full),
        answer_right=float(whole == "right"),
        answer_wrong=float(whole == "wrong"),
        answer_held_back=float(whole == "held back"),
        right_reflected=sum(not wrong for wrong, _ in verdicts),
        wrong_reflected=sum(wrong for wrong, _ in verdicts),
        right_unlisted=sum(not wrong and not listed for wrong, listed in verdicts),
        wrong_listed=sum(wrong and listed for wrong, listed in verdicts),
        cut_off=float(cut_off),
        unfinished=float(unfinished(row, labels, halting)),
        strict_right=strict.count("correct"),
        strict_cost=strict.count("incorrect") + unfinished(row, strict, halting),
        continued=float(next_label is not None),
        held_back=float(next_label == "correct"),
    )


def continued(row: Scored, continuation: Continuation | None) -> Label | None:
    """The verdict on what base says next where a response ended; None where it did not end, or base ends too."""
    if continuation is None or row.finish_reason == "length" or not continuation.text.strip():
        return None
    return continuation.label


def unfinished(row: Scored, labels: Sequence[Label | None], halting: Halting) -> bool:
    """Whether a response was cut off at the token limit and what it left unfinished costs τ, like an incorrect claim.

    Without a price, not ending would be the way to be paid for what comes first and never for what comes last. It is
    paid once: not where the last fragment is incorrect anyway, nor, in a causal domain, behind any incorrect one.

    Args:
        labels: the verdicts as they count.
    """
    paid = "incorrect" in (labels if halting == "causal" else labels[-1:])
    return row.finish_reason == "length" and not paid


def _strict(row: Scored, labels: Sequence[Label | None], halting: Halting) -> list[Label | None]:
    """The verdicts as they would count if the verifier had said *incorrect* wherever it says *unverifiable*."""
    if all(one.label != "unverifiable" for one in row.fragments):
        return list(labels)
    strict = [
        dataclasses.replace(one, label="incorrect") if one.label == "unverifiable" and not is_confidence(one) else one
        for one in row.fragments
    ]
    return counted(strict, halting, n_asked(row.reference))


def median_claims(rows: Iterable[Scored], halting: Halting) -> float | None:
    """The median number of claims of a response, the K that SAFE takes for F1@K; None without responses."""
    claims = [count(row, halting=halting).claims for row in rows]
    return float(np.median(claims)) if claims else None


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

    @property
    def answers(self) -> Answers:
        """The responses as whole answers."""
        return Answers(self["answer_right"], self["answer_wrong"], self["answer_held_back"])


def per_prompt(
    rows: Iterable[Scored],
    prompt_keys: Sequence[str],
    continuations: Mapping[str, Continuation] | None = None,
    halting: Halting = "independent",
    wanted: float | None = None,
    labels: Mapping[str, Sequence[Label | None]] | None = None,
) -> PromptCounts:
    """Mean counts over the responses to each prompt, in the order of `prompt_keys`, each of which has a response.

    Args:
        wanted: the K of F1@K, see `count`.
        labels: the verdicts as they count by the key of the response, where they are known already.
    """
    position = {key: i for i, key in enumerate(prompt_keys)}
    sums, responses = np.zeros((len(prompt_keys), len(FIELDS))), np.zeros((len(prompt_keys), 1))
    for row in rows:
        known = None if labels is None else labels[row.key]
        counts = count(row, (continuations or {}).get(row.key), halting, wanted, known)
        sums[position[row.prompt_key]] += [getattr(counts, field) for field in FIELDS]
        responses[position[row.prompt_key]] += 1
    return PromptCounts(sums / responses)


def pool(seeds: Sequence[PromptCounts]) -> PromptCounts:
    """The mean over training seeds, one row a prompt."""
    return PromptCounts(np.mean([seed.values for seed in seeds], axis=0))


def cells(seeds: Sequence[PromptCounts]) -> PromptCounts:
    """Every prompt of every seed, one row each, all prompts of a seed together, as `bootstrap.crossed` has them."""
    return PromptCounts(np.concatenate([seed.values for seed in seeds]))


def repeated(counts: PromptCounts, times: int) -> PromptCounts:
    """The same counts for each of so many seeds, to be compared with `cells` of as many."""
    return PromptCounts(np.tile(counts.values, (times, 1)))
