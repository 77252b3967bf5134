"""Sequences that share beginnings, laid out as one tree: each token once, each seeing only what came before it.

    chosen    State five facts . A is in Asia . Unsure from here .      13 tokens
    rejected  State five facts . A is in Asia . Its capital is B .      14 tokens

    tree      State five facts . A is in Asia   . Unsure from here   . Its capital is B      8 + 4 + 5 tokens

A token of the tree has *one* next token: where sequences part, the last token they share stands twice, and the last
token of a sequence is left out, since nothing is asked of it. So a language model's head, which scores one label a
position, scores a tree as it scores a row.

Examples that stand in one row share what they begin with too, the system prompt say. The order is that of a depth-first
walk. Then what a token sees needs no matrix: token k is seen by all from k up to where its subtree ends,
`k <= q < ends[k]`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rlhalt.chat.token_spans import common_prefix

UNSCORED = -100


@dataclasses.dataclass(frozen=True)
class Tree:
    """Sequences laid out, with N tokens in all.

    Attributes:
        ids: token ids, length N.
        positions: how many tokens come before each in its sequence.
        ends: for each the index behind the last token that sees it.
        labels: the next token where it is scored, else -100.
        paths: for each sequence the indices of its tokens but the last.
    """

    ids: list[int]
    positions: list[int]
    ends: list[int]
    labels: list[int]
    paths: list[list[int]]


def lay_out(sequences: Sequence[list[int]], scored_from: Sequence[int]) -> Tree:
    """One tree of sequences.

    Args:
        sequences: token ids.
        scored_from: for each the index of its first scored token; its tokens from there on become labels.
    """
    tree = Tree([], [], [], [], [[] for _ in sequences])
    path: list[int] = []
    before: Sequence[int] = ()
    # In sorted order each sequence parts from the one before it, and none comes back to a branch that has ended.
    for number in sorted(range(len(sequences)), key=lambda one: sequences[one]):
        ids = sequences[number]
        shared = max(common_prefix(before, ids) - 1, 0)
        _end(tree, path[shared:])
        path = path[:shared] + list(range(len(tree.ids), len(tree.ids) + len(ids) - 1 - shared))
        tree.ids.extend(ids[shared:-1])
        tree.positions.extend(range(shared, len(ids) - 1))
        tree.ends.extend([0] * (len(ids) - 1 - shared))
        tree.labels.extend([UNSCORED] * (len(ids) - 1 - shared))
        for index in range(max(scored_from[number] - 1, 0), len(ids) - 1):
            tree.labels[path[index]] = ids[index + 1]
        tree.paths[number] = path
        before = ids
    _end(tree, path)
    return tree


def _end(tree: Tree, path: Sequence[int]) -> None:
    for index in path:
        tree.ends[index] = len(tree.ids)


def pack(sizes: Sequence[int], width: int) -> list[list[int]]:
    """What goes into one row: examples by number, as few rows as `width` allows, each about as full.

    Args:
        sizes: tokens of each example.
        width: tokens that a row may hold, or as many as the largest example has.
    """
    lines: list[list[int]] = [[] for _ in range(-(-sum(sizes) // max(width, *sizes)))]
    held = [0] * len(lines)
    for number in sorted(range(len(sizes)), key=lambda one: -sizes[one]):
        emptiest = held.index(min(held))
        lines[emptiest].append(number)
        held[emptiest] += sizes[number]
    return lines
