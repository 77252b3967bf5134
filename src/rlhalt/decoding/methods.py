"""Decodings by name, and what each of them reads."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rlhalt.contamination import prompts_seen, refuse_leakage, text_key
from rlhalt.decoding.setup import NAMES, Name, Setup
from rlhalt.errors import InputError
from rlhalt.models.names import identity, resolve_model
from rlhalt.records import Json, Prompt, Scored, file_hash, read
from rlhalt.reward_model.folder import read_description, reward_identity
from rlhalt.sampling import Engine

# What each reads beside the model, by the names of `Decoding`.
READS: dict[Name, Sequence[str]] = {
    "dola": (),
    "icd": ("against",),
    "integrative": ("samples",),
    "iti": ("scored",),
    "consistent": ("samples",),
    "best-of-n": ("samples", "reward_model"),
    "qalign": ("samples", "reward_model"),
}
# The flags of what is a file or folder, and what it is.
FLAGS = {
    "against": ("--decode-against", "a model that was tuned to be wrong"),
    "reward_model": ("--reward-model", "the folder of a trained reward model"),
    "scored": ("--decode-scored", "a file of scored responses to training prompts"),
}


def check(setup: Setup, prompts: Iterable[Prompt]) -> None:
    """See that all is there that a decoding reads, and that none of it was made of the prompts to be evaluated.

    Raises:
        InputError: something is missing, or given to a decoding that does not read it; or a model, a reward model or
            scored responses have seen one of these prompts.
    """
    how = setup.how
    if how.name not in NAMES:
        raise InputError(f"expected one of {', '.join(NAMES)}, found '{how.name}'", field="--decode")
    for name, (flag, what) in FLAGS.items():
        given, read_ = getattr(how, name), name in READS[how.name]
        if bool(given) != read_:
            told = f"{what}, found none" if read_ else f"none, found {given}"
            raise InputError(f"with --decode {how.name} expected {told}; see docs/methods.md", field=flag)
    prompts = list(prompts)
    if how.against:
        resolve_model(how.against)
        refuse_leakage(how.against, prompts)
    if how.reward_model:
        read_description(how.reward_model).refuse_others(setup.scorer, how.reward_model)
        refuse_leakage(how.reward_model, prompts)
    if how.scored:
        _check_scored(how.scored, prompts, setup.scorer.domain)


def _check_scored(path: str, prompts: Sequence[Prompt], domain: str) -> None:
    rows = list(read(path, Scored))
    if others := sorted({row.domain for row in rows} - {domain}):
        raise InputError(f"expected responses of the domain '{domain}', found some of {', '.join(others)}", path=path)
    held_out = sum(row.split != "train" for row in rows)
    if held_out or not rows:
        raise InputError(
            f"expected scored responses to training prompts alone, found {held_out} of {len(rows)} to others; score "
            "responses to training prompts",
            path=path,
            field="split",
        )
    if seen := {text_key(one.prompt) for one in prompts} & set(prompts_seen(rows)):
        raise InputError(f"expected other prompts than those to be evaluated, found {len(seen)} of them", path=path)


def described(setup: Setup) -> Json:
    """What decides the text, for run.json and each row: models and files by what is in them."""
    how, name = setup.how, setup.how.name
    found: Json = {"decode": name}
    if "samples" in READS[name]:
        found["samples"] = how.samples
    if how.against:
        found["against"] = identity(how.against)
    if how.reward_model:
        found |= {"reward_model": reward_identity(how.reward_model), "threshold": setup.threshold}
    if how.scored:
        found["scored"] = file_hash(how.scored)
    return found


def engine(inner: Any, setup: Setup) -> Engine:
    """The engine of a decoding.

    Args:
        inner: the `rlhalt.sampling.local.TransformersEngine` of the model.
    """
    # Only the one that is asked for is imported.
    module = importlib.import_module(f"rlhalt.decoding.{setup.how.name.replace('-', '_')}")
    found: Engine = module.engine(inner, setup)
    return found


def loader(setup: Setup) -> Callable[..., Engine]:
    """`rlhalt.sampling.load_engine` with this decoding, for `rlhalt.sampling.sample`; it loads once."""
    loaded: list[Engine] = []

    def load(model: str, _: str, template_args: Json | None = None) -> Engine:
        from rlhalt.sampling.local import TransformersEngine

        if not loaded:
            loaded.append(engine(TransformersEngine(model, template_args), setup))
        return loaded[0]

    return load
