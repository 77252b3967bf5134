"""Which tokens of a pair the loss counts: spans of characters → a mask over the completion tokens of each side.

A is in Asia. Its capital is B.     spans [[0, 13]]     →     A is in Asia . | Its capital is B . <end>
                                                              1 1  1  1    1   0   0       0  0 0 0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlhalt.records import Json, Pair, Rows
from rlhalt.training.prefix_sharing.collator import MASKS
from rlhalt.training.token_alignment import Prompts


def with_masks(
    tokenizer: Any, rows: Rows[Pair], drawn: Sequence[int], dataset: Any, template_args: Json | None = None
) -> Any:
    """The drawn pairs with a column of `MASKS` a side.

    Args:
        drawn: which rows the dataset has, in its order.
    """
    wanted = set(drawn)
    prompts = Prompts(tokenizer, template_args)
    found = {number: masks(prompts, pair) for number, pair in enumerate(rows) if number in wanted}
    for side, name in enumerate(MASKS):
        dataset = dataset.add_column(name, [found[number][side] for number in drawn])
    return dataset


def masks(prompts: Prompts, pair: Pair) -> list[list[int]]:
    """A mask a side: 1 for each completion token that a span of the side overlaps, for all where it has none."""
    answers = [one[0]["content"] for one in (pair.chosen, pair.rejected)]
    sides = prompts.sides(pair.prompt, answers, pair.cut)
    found = []
    for ends, spans in zip(sides.ends, (pair.chosen_spans, pair.rejected_spans), strict=True):
        tokens = list(zip(ends[sides.first - 1 : -1], ends[sides.first :], strict=True))
        found.append(
            [
                int(not spans or any(begin < stop and end > max(start, begin) for start, stop in spans))
                for begin, end in tokens
            ]
        )
    return found
