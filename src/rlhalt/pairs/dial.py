"""One model for every τ: the threshold is written into the system prompt, and followed when the model is asked.

    system     Reliability: 0.80
    user       Describe the smith Balo.

Each response is decided at a threshold drawn for it, and says so in its prompt. Trained on these decisions a model
meets many thresholds, and can be asked at any between them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from rlhalt.credit import check_threshold
from rlhalt.errors import InputError
from rlhalt.pairs.decide import decisions_at
from rlhalt.pairs.styles import Style
from rlhalt.records import Decision, Message, Scored

_DIAL = re.compile(r"(?:^|\n)Reliability: [01]\.\d\d$")


def dialled(prompt: Sequence[Message], threshold: float) -> list[Message]:
    """A prompt that asks for a threshold, to two decimals; behind what a system message says already.

    Raises:
        InputError: τ outside (0, 1).
    """
    check_threshold(threshold)
    line = f"Reliability: {threshold:.2f}"
    if prompt and prompt[0]["role"] == "system":
        return [{"role": "system", "content": f"{prompt[0]['content']}\n{line}"}, *prompt[1:]]
    return [{"role": "system", "content": line}, *prompt]


def undialled(prompt: Sequence[Message]) -> list[Message]:
    """The prompt that `dialled` was given."""
    if not prompt or prompt[0]["role"] != "system" or not _DIAL.search(prompt[0]["content"]):
        return list(prompt)
    rest = _DIAL.sub("", prompt[0]["content"])
    return [*([{"role": "system", "content": rest}] if rest else []), *prompt[1:]]


def dialled_decisions(
    rows: Iterable[Scored], thresholds: Sequence[float], style: Style, seed: int
) -> Iterator[Decision]:
    """The decisions of each response at one of several thresholds, drawn for it, which its prompt asks for.

    Raises:
        InputError: no thresholds; see `rlhalt.pairs.decide`.
    """
    if not thresholds:
        raise InputError("expected thresholds to draw from, found none", field="thresholds")
    rows = list(rows)
    drawn = np.random.default_rng(seed).integers(len(thresholds), size=len(rows))
    at = {row.key: thresholds[one] for row, one in zip(rows, drawn, strict=True)}
    for one in decisions_at(rows, lambda row: at[row.key], style):
        yield dataclasses.replace(one, prompt=dialled(one.prompt, one.threshold))
