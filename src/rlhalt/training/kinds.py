"""What each kind of training reads, its own keys, the trainer's and the model's, and what their values may be."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rlhalt.errors import InputError
from rlhalt.files.strict_json import Json, shown
from rlhalt.files.strict_yaml import read_settings

# The least value, whether it is allowed itself, and the greatest. Trainers take others without a word.
_BOUNDS: Mapping[str, tuple[float, bool, float]] = {
    "learning_rate": (0, True, math.inf),
    "weight_decay": (0, True, math.inf),
    "num_train_epochs": (0, False, math.inf),
    "per_device_train_batch_size": (1, True, math.inf),
    "gradient_accumulation_steps": (1, True, math.inf),
    "logging_steps": (0, False, math.inf),
    "seed": (0, True, 2**32 - 1),
    "max_length": (1, True, math.inf),
    "max_completion_length": (1, True, math.inf),
    "num_generations": (2, True, math.inf),
    "temperature": (0, False, math.inf),
    "lora_r": (1, True, math.inf),
    "lora_dropout": (0, True, 1),
    "draws": (1, True, math.inf),
    "hold": (0, True, math.inf),
    "anchor": (0, True, math.inf),
    "beta": (0, True, math.inf),
}


# Keys that name a file, and the words that stand for none.
_FILES: Mapping[str, tuple[str, ...]] = {"mix_file": ("own",), "base_template": ("plain",), "deepspeed": ()}
KINDS = ("sft", "dpo", "decisions", "grpo")


def kinds(kind: str) -> tuple[type[Any], ...]:
    """The dataclasses that a configuration of sft, dpo, decisions or grpo is parsed into."""
    from trl import DPOConfig, GRPOConfig, ModelConfig, SFTConfig

    from rlhalt.training.decision_trees.trainer import DecisionConfig
    from rlhalt.training.decisions import DecisionData
    from rlhalt.training.dpo import DpoData
    from rlhalt.training.grpo import GrpoData
    from rlhalt.training.sft import SftData

    own, trainer = {
        "sft": (SftData, SFTConfig),
        "dpo": (DpoData, DPOConfig),
        "decisions": (DecisionData, DecisionConfig),
        "grpo": (GrpoData, GRPOConfig),
    }[kind]
    return own, trainer, ModelConfig


def settings_of(parsed: Sequence[type[Any]], path: str | Path) -> Json:
    """The keys and values of a configuration, each of a type that its key takes.

    Raises:
        InputError: naming the file and the key.
    """
    from trl import TrlParser

    settings = read_settings(path, {one.name for kind in parsed for one in dataclasses.fields(kind)})
    parser = TrlParser(list(parsed), allow_abbrev=False)
    # The parser rewrites the types of fields, and leaves the annotations.
    annotated = [vars(base).get("__annotations__", {}) for kind in parsed for base in kind.__mro__]
    mappings = {name for hints in annotated for name, hint in hints.items() if "dict" in str(hint)}
    needed = {one.name for kind in parsed for one in dataclasses.fields(kind) if _needed(one)}
    for action in parser._actions:
        if action.dest in needed and settings.get(action.dest, "") is None:
            raise InputError("expected a value, found none", path=path, field=action.dest)
        value = settings.get(action.dest)
        # What may be a mapping or a text of JSON looks like a text to the parser.
        if action.dest in settings and not (action.dest in mappings and isinstance(value, dict)):
            _check_type(action, value, path)
    check_bounds(settings, path)
    return settings


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _check_type(action: argparse.Action, value: Any, path: str | Path) -> None:
    """See that a value that is no text is one that the key's parser could have made of a text."""

    def refuse(expected: str) -> NoReturn:
        raise InputError(f"expected {expected}, found {shown(value)}", path=path, field=action.dest)

    if action.nargs == "?" and isinstance(value, list | dict | float):
        refuse("true or false")
    if action.nargs is not None or value is None:
        return
    expected = {int: "a whole number", float: "a number"}.get(action.type)  # type: ignore[call-overload]
    if expected is not None and isinstance(value, str):
        try:
            action.type(value)  # type: ignore[operator, misc]
        except ValueError:
            refuse(expected)
    elif expected is not None and (
        isinstance(value, bool | list | dict) or (action.type is int and value != int(value))
    ):
        refuse(expected)
    elif action.type is str and isinstance(value, list | dict):
        refuse("text")
    if action.choices is not None and value not in action.choices and not isinstance(value, list | dict):
        refuse(" or ".join(map(str, action.choices)))


def check_bounds(values: Mapping[str, Any], path: str | Path | None = None) -> None:
    """See that numbers are finite and within what a training can use.

    Raises:
        InputError: naming the key.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise InputError(f"expected a number, found {value}", path=path, field=name)
        least, itself, most = _BOUNDS.get(name, (-math.inf, True, math.inf))
        if not (least <= value <= most) or (value == least and not itself):
            above = f"{'of at least' if itself else 'above'} {least:g}"
            upper = f" and up to {most:g}" if most < math.inf else ""
            raise InputError(f"expected a number {above}{upper}, found {value:g}", path=path, field=name)


def check_configuration(kind: str, path: str | Path) -> None:
    """See that a configuration has keys that its training knows, with values of their types, and files that are there.

    transformers' arguments are not made: they write the precision into the environment.

    Raises:
        InputError: naming the file and the key.
    """
    settings = settings_of(kinds(kind), path)
    for key, words in _FILES.items():
        value = settings.get(key)
        if isinstance(value, str) and value not in words and not Path(value).is_file():
            raise InputError(f"expected a file, found none at {value}", path=path, field=key)
