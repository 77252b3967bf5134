"""MRPO (arXiv 2405.16388): the style's pairs, trained with two references, the pretrained and the supervised model.

The pairs are ours at τ (`rlhalt.training_data.styles`); the method is the training, see `rlhalt.training.mrpo`. A
recipe sets its keys; on the command line, from an SFT adapter:

    rlhalt train dpo --config configs/dpo/135m.yaml --train_file pairs.jsonl --model_name_or_path sft \\
        --precompute_ref_log_probs true --second_reference smollm2-135m-instruct --output_dir mrpo
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.training_data import styles
from rlhalt.training_data.styles import Style

KEYS = ("--precompute_ref_log_probs", "true", "--second_reference", "{model}")
"""Arguments of `rlhalt train dpo` that make the method; `{model}` is the pretrained model."""


def pairs(rows: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """The pairs of a style at τ, with their weights."""
    for one in styles.pairs(rows, threshold, style, phrase):
        yield dataclasses.replace(one, style="mrpo")
