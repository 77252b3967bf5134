"""Scored responses → trees: the response is the trunk, and at every boundary hangs what halting there would say.

    Norway is in Europe.| Its capital is Oslo.| Its currency is the euro.
                        └ Unsure from here.   └ Unsure from here.
      1 - τ  go on            1 - τ  go on           τ  halt

One pass over a response trains all its decisions. Only the tokens that decide are compared: the one with which the
response goes on, and the words of halting. All boundaries count that a response came to, those behind a wrong fragment
too: the answer did go on there, and the next fragment is right or wrong by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rlhalt.alignment import Misaligned, align
from rlhalt.credit import check_threshold
from rlhalt.pairs.pieces import finished, halted, pair, whole
from rlhalt.records import Json, Message, Pair, Scored
from rlhalt.training.shared.layout import common_prefix


def boundaries(row: Scored, threshold: float) -> Iterator[Pair]:
    """A pair for each fragment that was judged, up to where the response halts: the whole response, or halting there.

    Raises:
        InputError: τ outside (0, 1).
    """
    check_threshold(threshold)
    for index, fragment in enumerate(finished(row)):
        if fragment.label == "halt":
            return
        halt, on = halted(row, index), whole(row)
        if fragment.label == "correct":
            yield pair(row, on, halt, weight=1 - threshold, style="boundary", threshold=threshold, decides=index)
        elif fragment.label == "incorrect":
            yield pair(row, halt, on, weight=threshold, style="boundary", threshold=threshold, decides=index)


def trees(
    tokenizer: Any, rows: Iterable[Scored], threshold: float, max_length: int | None = None
) -> tuple[list[Json], list[Misaligned]]:
    """The trees of responses for `SharedDPOTrainer`, and the decisions that are not trained on.

    Weights are scaled so that those of a tree sum to 1 on average. A response with a failed fragment gives nothing.

    Args:
        max_length: tokens of prompt and answer up to which decisions are taken.

    Raises:
        InputError: τ outside (0, 1); a tokenizer that does not know the offsets of its tokens.
    """
    made, refused = [], []
    for row in rows:
        if row.failed:
            continue
        aligned, others = align(tokenizer, boundaries(row, threshold))
        refused.extend(others)
        tree, long = _tree(tokenizer, aligned, "".join(whole(row)), max_length)
        refused.extend(long)
        if tree["decisions"]:
            made.append(tree)
    total = sum(one["weight"] for tree in made for one in tree["decisions"])
    for tree in made:
        for one in tree["decisions"]:
            one["weight"] *= len(made) / total
    return made, refused


def _tree(
    tokenizer: Any, aligned: Sequence[Pair], response: str, max_length: int | None
) -> tuple[Json, list[Misaligned]]:
    trunk: list[int] = []
    branches: list[Json] = []
    decisions: list[Json] = []
    refused = []
    for one in aligned:
        goes_on = one.chosen[0]["content"] == response
        sides = [_ids(tokenizer, one, answer) for answer in (one.chosen, one.rejected)]
        trunk, halting = sides if goes_on else sides[::-1]
        parting = common_prefix(trunk, halting)
        if max_length is not None and len(halting) > max_length:
            refused.append(Misaligned(one.key, f"longer than {max_length} tokens"))
            continue
        on, halt = len(branches), len(branches) + 1
        branches.append({"position": parting, "ids": trunk[parting : parting + 1]})
        branches.append({"position": parting, "ids": halting[parting:]})
        better, worse = (on, halt) if goes_on else (halt, on)
        decisions.append({"better": better, "worse": worse, "weight": one.weight})
    return {"trunk_ids": trunk, "branches": branches, "decisions": decisions}, refused


def _ids(tokenizer: Any, pair: Pair, answer: Sequence[Message]) -> list[int]:
    found: list[int] = tokenizer.apply_chat_template([*pair.prompt, *answer])["input_ids"]
    return found
