"""The help of a training: rlhalt's own keys first, then those of TRL's configuration, then those of the model."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from rlhalt.training.kinds import KINDS, kinds

# What each kind trains on, and a configuration for one GPU.
_EXAMPLES = {
    "sft": ("targets.jsonl", "sft/135m", "sft/8b_lora"),
    "dpo": ("pairs.jsonl", "dpo/135m", "dpo/8b_lora"),
    "decisions": ("decisions.jsonl", "decisions/135m", "decisions/8b_lora"),
    "grpo": ("prompts.jsonl", "grpo/countries", "grpo/one_gpu"),
}


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        if action.required:
            return f"{text} (required)"
        return text if action.default in (None, argparse.SUPPRESS) else f"{text} (default: %(default)s)"


def help_text(parsed: Sequence[type[Any]]) -> str:
    """The help as text.

    Args:
        parsed: the dataclasses of a kind, see `rlhalt.training.kinds.kinds`.
    """
    kind = next(one for one in KINDS if kinds(one)[0] is parsed[0])
    parser = argparse.ArgumentParser(
        prog=f"rlhalt train {kind}",
        usage=f"rlhalt train {kind} --config FILE [--key value …]",
        description=f"Every key may stand in the YAML file or behind it as --key value, which wins.\n\n{_shown(kind)}",
        formatter_class=_Formatter,
        add_help=False,
    )
    titles = ("keys of rlhalt", f"keys of TRL's {parsed[1].__name__}", f"the model: keys of TRL's {parsed[2].__name__}")
    for title, one in zip(titles, parsed, strict=True):
        group = parser.add_argument_group(title)
        for action in _in_order(one):
            group._add_action(action)
    return parser.format_help()


def _actions(one: type[Any]) -> Iterator[argparse.Action]:
    """The keys of a dataclass as TRL's parser reads them, each under one name."""
    from trl import TrlParser

    for action in TrlParser([one])._actions:
        # A switch has a second half, --no_key, and every key a second spelling with hyphens.
        if action.dest in {field.name for field in dataclasses.fields(one)} and action.option_strings[0][2:5] != "no_":
            action.option_strings = action.option_strings[:1]
            yield action


def _in_order(one: type[Any]) -> list[argparse.Action]:
    """What is required first, then the keys that the dataclass declares itself, then those that it inherits."""
    declared = vars(one).get("__annotations__", {})
    return sorted(_actions(one), key=lambda action: (not action.required, action.dest not in declared))


def _shown(kind: str) -> str:
    return "\n".join(["examples:", *(f"  {one}" for one in examples(kind))])


def examples(kind: str) -> list[str]:
    """Two commands that train: on this machine with a configuration for two cores, and by accelerate."""
    rows, small, large = _EXAMPLES[kind]
    files = f"--train_file {rows} --output_dir models/{kind}"
    return [
        f"rlhalt train {kind} --config configs/{small}.yaml {files}",
        f"accelerate launch -m rlhalt train {kind} --config configs/{large}.yaml {files} --resume",
    ]
