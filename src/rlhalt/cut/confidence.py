"""How sure a model is of each fragment of its own responses, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlhalt.cut.agreement import sampled_agreement, samples
from rlhalt.cut.calibration import By
from rlhalt.records import Json, Message, Scored
from rlhalt.scoring import Scorer
from rlhalt.uncertainty import token_probability
from rlhalt.uncertainty.among_others import among_others
from rlhalt.uncertainty.ccp import alternatives, ccp
from rlhalt.uncertainty.nli import lexical
from rlhalt.uncertainty.self_evaluation import p_true
from rlhalt.uncertainty.semantic_entropy import semantic_certainty
from rlhalt.uncertainty.verbalized import just_ask, stated


def confidences(
    by: By,
    model: str,
    rows: Sequence[Scored],
    scorer: Scorer,
    few_shot: Sequence[Message] = (),
    template_args: Json | None = None,
    max_tokens: int = 64,
    reward_model: str | Path = "",
) -> list[list[float]]:
    """One number a fragment, in [0, 1]; NaN for a fragment without tokens.

    Args:
        by: `token_probability` and `token_minimum` take one forward pass over prompt and response; `ccp` takes the same
            pass and compares the alternatives of each token by words (`rlhalt.uncertainty.nli.lexical`); `agreement`,
            `semantic-entropy` and `self-evaluation-choices` draw other responses (`rlhalt.cut.agreement`), and the
            last, `self-evaluation`, `stated` and `just-ask` ask about each fragment; `reward` takes a pass of the
            reward model.
        rows: responses with fragments, judged or not.
        scorer: of the domain: how it halts, and how it splits.
        few_shot, template_args, max_tokens: what the responses were sampled with.
        reward_model: by `reward`, its folder.

    Raises:
        InputError: see `rlhalt.reward_model.reader.load`.
    """
    if by == "reward":
        from rlhalt.reward_model.reader import probabilities

        return probabilities(reward_model, rows)
    if by == "ccp":
        return list(ccp(alternatives(model, rows, few_shot, template_args=template_args), lexical))
    if by == "agreement":
        return sampled_agreement(model, rows, scorer, few_shot, template_args, max_tokens)
    if by == "semantic-entropy":
        every = samples(model, rows, scorer, few_shot, template_args, max_tokens)
        return [semantic_certainty(row, its, lexical) for row, its in zip(rows, every, strict=True)]
    if by == "self-evaluation":
        return p_true(model, rows, few_shot, template_args)
    if by == "self-evaluation-choices":
        every = samples(model, rows, scorer, few_shot, template_args, max_tokens)
        return among_others(model, rows, every, few_shot, template_args)
    if by == "stated":
        return stated(model, rows, few_shot, template_args=template_args)
    if by == "just-ask":
        return just_ask(model, rows, few_shot, template_args=template_args)
    found = token_probability.confidences(model, rows, few_shot, template_args, scorer.phrase)
    if by == "token_probability":
        return [one.token_probability for one in found]
    return [one.token_minimum or [] for one in found]
