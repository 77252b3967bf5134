"""What a model is in a comparison: untrained, supervised, or trained further; and which models it was trained from.

`rlhalt evaluate` writes both into run.json: the role that the user or the recipe gives, or else the one that the
model's own run.json tells (`rlhalt train sft` makes a supervised model, every other training a trained one).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

from rlhalt.models import identity

Role = Literal["base", "supervised", "trained"]
"""`base`: the pretrained model. `supervised`: fine-tuned on targets. `trained`: on pairs, decisions, or online."""
ROLES: tuple[Role, ...] = get_args(Role)


def training_records(model: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """The run.json of a model's training and of those that it started from, each with its model, the last first.

    Args:
        model: a name or folder, see `rlhalt.models.resolve_model`.

    Returns:
        Empty for a model that rlhalt did not train. A pretrained model at the end of the chain is not in it.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    name: str | None = str(model)
    while name and name not in dict(found) and (path := Path(name) / "run.json").is_file():
        record = json.loads(path.read_text(encoding="utf-8"))
        found.append((name, record))
        name = record.get("parameters", {}).get("model_name_or_path")
    return found


def started_from(model: str | Path) -> list[str]:
    """The identities of the models that a training started from, the nearest first, see `rlhalt.models.identity`."""
    return [identity(name) for name, _ in training_records(model)[1:]]


def role_of(model: str | Path, name: str) -> Role:
    """The role of a model that was given none: what its training was, or, where rlhalt did not train it, its name."""
    records = training_records(model)
    if records:
        return "supervised" if records[0][1].get("stage") == "train sft" else "trained"
    return role_named(name)


def role_named(name: str) -> Role:
    """The role of a model of which nothing but the name is known, as in evaluation folders of earlier versions."""
    known: dict[str, Role] = {"base": "base", "SFT": "supervised"}
    return known.get(name, "trained")
