"""The threshold τ in the prompt: one model for every τ.

    system     Reliability: 0.80
    user       Describe the smith Balo.

The line stands in the training rows, each with the τ it was made at, and in the prompts of an evaluation.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from rlhalt.records import Message
from rlhalt.rewards import check_threshold

RANGE = (0.02, 0.98)
"""The thresholds that models are trained to obey."""

_LINE = re.compile(r"(?:^|\n)Reliability: ([01]\.\d\d)$")


def with_threshold(prompt: Sequence[Message], threshold: float) -> list[Message]:
    """A prompt that asks for a threshold, to two decimals; behind what a system message says already.

    Raises:
        InputError: τ outside (0, 1).

    >>> with_threshold([{"role": "user", "content": "Where is Kenya?"}], 0.8)[0]
    {'role': 'system', 'content': 'Reliability: 0.80'}
    """
    check_threshold(threshold)
    line = f"Reliability: {threshold:.2f}"
    if prompt and prompt[0]["role"] == "system":
        return [{"role": "system", "content": f"{prompt[0]['content']}\n{line}"}, *prompt[1:]]
    return [{"role": "system", "content": line}, *prompt]


def drawn_thresholds(draws: int, rng: random.Random) -> list[float]:
    """Thresholds for the prompts of one row: one from each of `draws` equal parts of (0.02, 0.98), to two decimals.

    Low and high ones come equally often, whatever `draws` is.

    >>> drawn_thresholds(3, random.Random(0))
    [0.29, 0.58, 0.79]
    """
    low, high = RANGE
    return [round(low + (high - low) * (part + rng.random()) / draws, 2) for part in range(draws)]


def stated(prompt: Sequence[Message]) -> float | None:
    """The threshold that a prompt asks for; None where it states none.

    >>> stated(with_threshold([{"role": "user", "content": "Describe the smith Balo."}], 0.8))
    0.8
    """
    found = _LINE.search(prompt[0]["content"]) if prompt and prompt[0]["role"] == "system" else None
    return float(found[1]) if found else None


def without_threshold(prompt: Sequence[Message]) -> list[Message]:
    """The prompt that `with_threshold` was given.

    >>> without_threshold(with_threshold([{"role": "user", "content": "Where is Kenya?"}], 0.8))
    [{'role': 'user', 'content': 'Where is Kenya?'}]
    """
    if stated(prompt) is None:
        return list(prompt)
    rest = _LINE.sub("", prompt[0]["content"])
    return [*([{"role": "system", "content": rest}] if rest else []), *prompt[1:]]
