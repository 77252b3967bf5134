"""Certainties that cost a pass of the model each, measured for a finished evaluation: `rlhalt certainty FOLDER`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.evaluation.folder import By, Evaluation, load
from rlhalt.evaluation.model_identity import evaluated
from rlhalt.models import identity, turns
from rlhalt.provenance import earlier_config, once
from rlhalt.records import Certainty, Json, Message
from rlhalt.uncertainty.ccp import alternatives, ccp
from rlhalt.uncertainty.nli import check_classifier, classifier, lexical
from rlhalt.uncertainty.verbalized import stated


def check(folders: Sequence[str | Path], by: Sequence[By], nli: str | None = None) -> None:
    """See that all folders and models are there that `measure` reads, before the first model is asked.

    Raises:
        InputError: see `load`, `evaluated`, `rlhalt.models.turns` and `rlhalt.uncertainty.nli.check_classifier`; or an
            NLI model where nothing asks it.
    """
    if nli is not None and "ccp" not in by:
        raise InputError(f"only used with --by ccp, found --by {' '.join(by)}", field="--nli")
    for folder in folders:
        load(folder)
        turns(evaluated(folder), earlier_config(folder).get("template_args", {}))
    if nli is not None:
        check_classifier(nli)


def measure(folder: str | Path, by: By, nli: str | None = None) -> Path:
    """Write `ccp.jsonl` or `stated.jsonl` into an evaluation folder; what is done already is not done again.

    Args:
        nli: the NLI model that CCP asks, see `rlhalt.uncertainty.nli.classifier`; the lexical comparison if None,
            which is for short sentences that are put alike.

    Raises:
        InputError: see `load` and `evaluated`.
    """
    one, config = load(folder), earlier_config(folder)
    few_shot, template_args = config.get("few_shot", []), config.get("template_args", {})
    output = one.folder / f"{by}.jsonl"
    settings: dict[str, Any] = {"by": by, "model": identity(evaluated(folder)), "few_shot": few_shot}
    if by == "ccp":
        settings["nli"] = identity(nli) if nli is not None else "lexical"
    if template_args:
        settings["template_args"] = template_args

    def make() -> list[Certainty]:
        each: Iterable[list[float]]
        if by == "ccp":
            each = _ccp(one, few_shot, template_args, nli)
        else:
            each = stated(one.model, one.scored, few_shot, template_args=template_args)
        return [Certainty(row.key, values) for row, values in zip(one.scored, each, strict=True)]

    once("certainty", output, [one.folder / "scored.jsonl"], settings, make)
    return output


def _ccp(one: Evaluation, few_shot: list[Message], template_args: Json, nli: str | None) -> Iterable[list[float]]:
    positions = alternatives(one.model, one.scored, few_shot, template_args=template_args)
    return ccp(positions, classifier(nli) if nli is not None else lexical)
