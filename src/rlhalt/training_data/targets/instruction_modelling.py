"""Instruction Modelling (arXiv 2405.14394): the loss of supervised fine-tuning on the prompt's tokens too.

The targets are those of supervised fine-tuning (`rlhalt.training_data.styles.targets` of the best half). What differs
is the training: `completion_only_loss: false`, a setting of TRL's SFTTrainer. A recipe sets it; on the command line:

    rlhalt train sft --config configs/sft/135m.yaml --train_file targets.jsonl --completion_only_loss false …

TRL then also counts the tokens of the chat template, which the paper leaves out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.training_data import styles
from rlhalt.training_data.styles import Style
from rlhalt.training_data.targets.selection import best

KEYS = ("--completion_only_loss", "false")
"""Arguments of `rlhalt train sft` that make the method."""


def targets(rows: Iterable[Scored], style: Style, phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """The better sides of the half of each prompt's responses with the most right fragments."""
    for one in styles.targets(best(rows, 0.5), style, phrase):
        yield dataclasses.replace(one, style="instruction-modelling")
