"""Where a confidence can come from, side by side: read off the tokens, off other samples, or asked for.

    token probability, mean      confidence.jsonl         the geometric mean over the fragment's tokens
    token probability, least     confidence.jsonl         of its least likely token
    1 − P(halt) before it        confidence.jsonl         how little it was about to halt
    agreement of samples         scored.jsonl             the share of the other responses that say so too
    claim-conditioned            ccp.jsonl                `rlhalt.uncertainty.ccp`
    semantic entropy             semantic-entropy.jsonl   `rlhalt.uncertainty.semantic_entropy`, e^-H
    P(true)                      self-evaluation.jsonl    "Is this true?", see `rlhalt.uncertainty.self_evaluation`
    P(true) among others         …-choices.jsonl          "Which of these is true?", with "None of the above"
    stated                       stated.jsonl             "How sure are you, from 0 to 100?", see `verbalized`
    stated at once               just-ask.jsonl           "Provide your best guess and the probability", see there
    trained reward model         reward.jsonl             `rlhalt.reward_model`, trained on other prompts

Those with a file of their own are made by `rlhalt certainty`; without it they are *not measured*, and neither is the
least probability in files from before it was written down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate
from rlhalt.evaluation.calibration import brier, ece, equal_width
from rlhalt.evaluation.confidence_arrays import Judged, joined, judged
from rlhalt.evaluation.design import Model
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.selective_prediction import auroc
from rlhalt.records import Scored
from rlhalt.uncertainty.agreement import agreements
from rlhalt.uncertainty.nli import lexical

Values = Mapping[str, Sequence[float]]
"""One number a fragment, by the key of the response."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One source of confidence of one model against the verdicts.

    Attributes:
        n: decided fragments that it gives a number for, of all responses and seeds; 0 where it is not measured.
    """

    model: str
    source: str
    n: int
    ece: Estimate
    brier: Estimate
    auroc: Estimate


def sources(model: Model, position: Mapping[str, int], weights: Floats) -> list[Source]:
    """Every source for one model, whether it is measured or not; it is measured on those of its seeds that have it.

    Args:
        position: of each prompt, by its key.
        weights: over its seeds and these prompts.
    """
    found = []
    for name, of in SOURCES.items():
        seeds = [_judged(one.scored, of(one), position) for one in model.evaluations]
        fragments = joined(seeds, len(position))
        found.append(
            Source(
                model=model.label,
                source=name,
                n=len(fragments.confidence),
                ece=estimate(ece(fragments, weights, equal_width())),
                brier=estimate(brier(fragments, weights)),
                auroc=estimate(auroc(fragments, weights)),
            )
        )
    return found


def _judged(rows: Sequence[Scored], values: Values | None, position: Mapping[str, int]) -> Judged:
    each = [
        (sure, one.label == "correct", position[row.prompt_key])
        for row in (rows if values is not None else ())
        for one, sure in zip(row.fragments, (values or {})[row.key], strict=True)
        if one.label in ("correct", "incorrect")
    ]
    return judged([one[0] for one in each], [one[1] for one in each], [one[2] for one in each])


def _least(one: Evaluation) -> Values | None:
    least = {key: given.token_minimum for key, given in one.confidence.items()}
    known = {key: values for key, values in least.items() if values is not None}
    return known if len(known) == len(least) else None


def _agreement(one: Evaluation) -> Values:
    found = agreements(one.scored, lexical)
    return {row.key: [each.support for each in its] for row, its in zip(one.scored, found, strict=True)}


SOURCES: dict[str, Callable[[Evaluation], Values | None]] = {
    "token probability, mean": lambda one: {key: given.token_probability for key, given in one.confidence.items()},
    "token probability, least": _least,
    "1 − P(halt) before it": lambda one: {
        key: [1 - p for p in given.halt_probability] for key, given in one.confidence.items()
    },
    "agreement of samples": _agreement,
    "claim-conditioned": lambda one: one.certainty.get("ccp"),
    "semantic entropy": lambda one: one.certainty.get("semantic-entropy"),
    "P(true)": lambda one: one.certainty.get("self-evaluation"),
    "P(true) among others": lambda one: one.certainty.get("self-evaluation-choices"),
    "stated": lambda one: one.certainty.get("stated"),
    "stated at once": lambda one: one.certainty.get("just-ask"),
    "trained reward model": lambda one: one.certainty.get("reward"),
}
