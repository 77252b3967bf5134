"""Certainties that cost a pass of the model each, measured for a finished evaluation: `rlhalt certainty FOLDER`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rlhalt.evaluation.folder import By, Evaluation, load
from rlhalt.evaluation.model_identity import evaluated
from rlhalt.models import identity
from rlhalt.provenance import earlier_config, once
from rlhalt.records import Certainty, Message
from rlhalt.uncertainty.ccp import alternatives, ccp
from rlhalt.uncertainty.nli import classifier, lexical
from rlhalt.uncertainty.verbalized import stated


def measure(folder: str | Path, by: By, nli: str | None = None) -> Path:
    """Write `ccp.jsonl` or `stated.jsonl` into an evaluation folder; what is done already is not done again.

    Args:
        nli: the NLI model that CCP asks, see `rlhalt.uncertainty.nli.classifier`; the lexical comparison if None,
            which is for short sentences that are put alike.

    Raises:
        InputError: see `load` and `evaluated`.
    """
    one, few_shot = load(folder), earlier_config(folder).get("few_shot", [])
    output = one.folder / f"{by}.jsonl"
    settings: dict[str, Any] = {"by": by, "model": identity(evaluated(folder)), "few_shot": few_shot}
    if by == "ccp":
        settings["nli"] = identity(nli) if nli else "lexical"

    def make() -> list[Certainty]:
        each = _ccp(one, few_shot, nli) if by == "ccp" else stated(one.model, one.scored, few_shot)
        return [Certainty(row.key, values) for row, values in zip(one.scored, each, strict=True)]

    once("certainty", output, [one.folder / "scored.jsonl"], settings, make)
    return output


def _ccp(one: Evaluation, few_shot: list[Message], nli: str | None) -> Iterable[list[float]]:
    return ccp(alternatives(one.model, one.scored, few_shot), classifier(nli) if nli else lexical)
