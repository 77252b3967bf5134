"""Decisions → token sequences: what may come at each place, up to where it has parted from all else that may."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from rlhalt.chat.token_spans import common_prefix
from rlhalt.records import Decision, Json
from rlhalt.training.token_alignment import Misaligned, Prompts


def trees(
    prompts: Prompts, decisions: Iterable[Decision], max_length: int | None = None
) -> tuple[list[Json], list[Misaligned]]:
    """A row for each response, and the decisions that are not trained on.

        {"sequences": [[ids], …],
         "decisions": [{"ways": [3, 0, 1], "opens": 21, "parted": [23, 22, 22], "worth": 0.2}, …]}

    `ways` are sequences by number, the first is to speak. They share their first `opens` tokens, and way k has parted
    from all others with its first `parted[k]`. What speaking's sequence has behind that are the words that it says; the
    others end there.

    Args:
        decisions: those of a response stand together.
        max_length: tokens of prompt and answer up to which decisions are taken.
    """
    rows, refused = [], []
    for _, group in itertools.groupby(decisions, key=lambda one: one.source):
        sequences: dict[tuple[int, ...], int] = {}
        taken = []
        for one in group:
            ways = [one.speak, *one.otherwise]
            sides = prompts.sides(one.prompt, [one.before + way for way in ways], len(one.before), max_length)
            parted = [
                1 + max(common_prefix(sides.ids[way], sides.ids[other]) for other in range(len(ways)) if other != way)
                for way in range(len(ways))
            ]
            reason = sides.objection
            if reason is None and any(length > len(ids) for length, ids in zip(parted, sides.ids, strict=True)):
                reason = "one way begins with another"
            if reason is not None:
                refused.append(Misaligned(one.key, reason))
                continue
            # What the template puts behind an answer is not of the fragment; it is of the way that ends there.
            said = sum(end <= len(one.before + one.speak) for end in sides.ends[0])
            ids = [
                sides.ids[0][: max(said, parted[0])],
                *(its[:n] for its, n in zip(sides.ids[1:], parted[1:], strict=True)),
            ]
            numbers = [sequences.setdefault(tuple(its), len(sequences)) for its in ids]
            opens = min(common_prefix(ids[0], other) for other in ids[1:])
            taken.append({"ways": numbers, "opens": opens, "parted": parted, "worth": one.worth})
        if taken:
            rows.append({"sequences": [list(one) for one in sequences], "decisions": taken})
    return rows, refused
