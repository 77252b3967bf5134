"""Certainties that cost a pass of the model each, measured for a finished evaluation: `rlhalt certainty FOLDER`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rlhalt.contamination import refuse_leakage
from rlhalt.errors import InputError
from rlhalt.evaluation.folder import By, Evaluation, load
from rlhalt.evaluation.model_identity import evaluated
from rlhalt.files.provenance import earlier_config, once
from rlhalt.models.names import identity, turns
from rlhalt.records import Certainty, Json, Message
from rlhalt.reward_model.folder import read_description, reward_identity
from rlhalt.reward_model.reader import probabilities
from rlhalt.uncertainty.among_others import among_others
from rlhalt.uncertainty.ccp import alternatives, ccp
from rlhalt.uncertainty.nli import check_classifier, classifier, lexical
from rlhalt.uncertainty.self_evaluation import p_true
from rlhalt.uncertainty.semantic_entropy import among, semantic_certainty
from rlhalt.uncertainty.verbalized import just_ask, stated


def check(
    folders: Sequence[str | Path], by: Sequence[By], nli: str | None = None, reward_model: str | None = None
) -> None:
    """See that all folders and models are there that `measure` reads, before the first model is asked.

    Raises:
        InputError: see `load`, `evaluated`, `rlhalt.models.names.turns` and `rlhalt.uncertainty.nli.check_classifier`;
            or an NLI model where nothing asks it; or no reward model for `reward`, one of another domain, or one that
            was trained on prompts of the evaluation.
    """
    if (reward_model is not None) != ("reward" in by):
        expected = "the folder of a reward model with --by reward, found none" if reward_model is None else "none"
        raise InputError(f"expected {expected}, found --by {' '.join(by)}", field="--reward-model")
    if nli is not None and "ccp" not in by:
        raise InputError(f"only used with --by ccp, found --by {' '.join(by)}", field="--nli")
    for folder in folders:
        one = load(folder)
        if reward_model is not None:
            _check_reward_model(one, reward_model)
        turns(evaluated(folder), earlier_config(folder).get("template_args", {}))
    if nli is not None:
        check_classifier(nli)


def _check_reward_model(one: Evaluation, reward_model: str) -> None:
    told = read_description(reward_model)
    domains = sorted({row.domain for row in one.scored})
    if domains != [told.domain] or one.fragmenter not in (None, told.fragmenter):
        raise InputError(
            f"expected a reward model for the domain '{', '.join(domains)}' with the fragmenter '{one.fragmenter}', "
            f"found one for '{told.domain}' with '{told.fragmenter}'",
            path=reward_model,
        )
    refuse_leakage(reward_model, one.scored)


def measure(folder: str | Path, by: By, nli: str | None = None, reward_model: str | None = None) -> Path:
    """Write `ccp.jsonl`, `stated.jsonl` or another of `BY` into an evaluation folder, unless it is there already.

    Other samples, for semantic entropy and the multi-way self-evaluation, are the responses that are there.

    Args:
        nli: the NLI model that CCP asks, see `rlhalt.uncertainty.nli.classifier`; the lexical comparison if None,
            which is for short sentences that are put alike.
        reward_model: the folder of the reward model that `reward` asks.

    Raises:
        InputError: see `load` and `evaluated`.
    """
    one, config = load(folder), earlier_config(folder)
    few_shot, template_args = config.get("few_shot", []), config.get("template_args", {})
    output = one.folder / f"{by}.jsonl"
    settings: dict[str, Any] = {"by": by, "model": identity(evaluated(folder)), "few_shot": few_shot}
    if by == "reward":
        assert reward_model is not None
        settings = {"by": by, "reward_model": reward_identity(reward_model)}
    if by == "ccp":
        settings["nli"] = identity(nli) if nli is not None else "lexical"
    if template_args and by != "reward":
        settings["template_args"] = template_args

    def make() -> list[Certainty]:
        each: Iterable[list[float]]
        if by == "ccp":
            each = _ccp(one, few_shot, template_args, nli)
        elif by == "reward":
            each = probabilities(str(reward_model), one.scored)
        elif by == "semantic-entropy":
            pairs = zip(one.scored, among(one.scored), strict=True)
            each = (semantic_certainty(row, others, lexical) for row, others in pairs)
        elif by == "self-evaluation":
            each = p_true(one.model, one.scored, few_shot, template_args)
        elif by == "self-evaluation-choices":
            each = among_others(one.model, one.scored, list(among(one.scored)), few_shot, template_args)
        elif by == "just-ask":
            each = just_ask(one.model, one.scored, few_shot, template_args=template_args)
        else:
            each = stated(one.model, one.scored, few_shot, template_args=template_args)
        return [Certainty(row.key, values) for row, values in zip(one.scored, each, strict=True)]

    once("certainty", output, [one.folder / "scored.jsonl"], settings, make)
    return output


def _ccp(one: Evaluation, few_shot: list[Message], template_args: Json, nli: str | None) -> Iterable[list[float]]:
    positions = alternatives(one.model, one.scored, few_shot, template_args=template_args)
    return ccp(positions, classifier(nli) if nli is not None else lexical)
