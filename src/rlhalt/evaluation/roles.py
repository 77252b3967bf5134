"""What a model is in a comparison: untrained, supervised, or trained further; and which models it was trained from.

`rlhalt evaluate` writes both into run.json: the role that the user or the recipe gives, or else the one that the
model's own run.json tells (`rlhalt train sft` makes a supervised model, every other training a trained one).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from rlhalt.models.names import identity
from rlhalt.models.trained_model import lineage, read_trained_model

Role = Literal["base", "supervised", "trained"]
"""`base`: the pretrained model. `supervised`: fine-tuned on targets. `trained`: on pairs, decisions, or online."""
ROLES: tuple[Role, ...] = get_args(Role)


def started_from(model: str | Path) -> list[str]:
    """The identities of the models that a training started from, the nearest first, see `rlhalt.models.names.identity`.

    A pretrained model at the end of the chain is not among them.
    """
    names = [one.trained_from for one in lineage(model)]
    return [identity(name) for name in names if name and read_trained_model(name) is not None]


def role_of(model: str | Path, name: str) -> Role:
    """The role of a model that was given none: what its training was, or, where rlhalt did not train it, its name."""
    trained = read_trained_model(model)
    if trained is not None:
        return "supervised" if trained.stage == "train sft" else "trained"
    return role_named(name)


def role_named(name: str) -> Role:
    """The role of a model of which nothing but the name is known, as in evaluation folders of earlier versions."""
    known: dict[str, Role] = {"base": "base", "SFT": "supervised"}
    return known.get(name, "trained")
