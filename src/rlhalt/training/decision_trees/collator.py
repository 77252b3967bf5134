"""Responses with their decisions → batches of trees."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rlhalt.training.prefix_sharing.collator import batched
from rlhalt.training.prefix_sharing.layout import Tree, lay_out, pack


@dataclasses.dataclass
class DecisionCollator:
    """N rows of `rlhalt.training.decision_trees.trees` → a batch of D decisions between at most W ways of K tokens.

        tree_ids, _positions, _ends, _labels   (R, L)     see `rlhalt.training.prefix_sharing.layout`
        ways                                   (D, W, K)  where in the trees (flattened) each way is scored, else -1
        worth                                  (D,)       of speaking, the first way
        said                                   (M,)       where in the trees the fragments' other words are scored;
                                                   twice where two responses say the same
        responses                              ()         N

    Attributes:
        width: tokens up to which responses share a row, and what they begin with.
    """

    width: int

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch of rows."""
        firsts = [_scored_from(row) for row in rows]

        def tree_of(numbers: Sequence[int]) -> Tree:
            sequences = [ids for number in numbers for ids in rows[number]["sequences"]]
            return lay_out(sequences, [first for number in numbers for first in firsts[number]])

        lines = pack([len(tree_of([number]).ids) for number in range(len(rows))], self.width)
        trees_R = [tree_of(line) for line in lines]
        batch = batched(trees_R)
        L = batch["tree_ids"].size(1)
        ways: list[list[list[int]]] = []
        worth: list[float] = []
        said: list[int] = []
        for place, (line, tree) in enumerate(zip(lines, trees_R, strict=True)):
            before = 0
            for number in line:
                for one in rows[number]["decisions"]:
                    # Token k of a sequence is scored where token k - 1 stands.
                    paths = [[place * L + at for at in tree.paths[before + way]] for way in one["ways"]]
                    opens = one["opens"] - 1
                    ways.append([path[opens : end - 1] for path, end in zip(paths, one["parted"], strict=True)])
                    said.extend(paths[0][one["parted"][0] - 1 :])
                    worth.append(one["worth"])
                before += len(rows[number]["sequences"])
        W, K = max(len(one) for one in ways), max(len(way) for one in ways for way in one)
        padded = [[[*way, *[-1] * (K - len(way))] for way in [*one, *[[]] * (W - len(one))]] for one in ways]
        return {
            **batch,
            "ways": torch.tensor(padded),
            "worth": torch.tensor(worth),
            "said": torch.tensor(said, dtype=torch.long),
            "responses": torch.tensor(len(rows)),
        }


def _scored_from(row: Mapping[str, Any]) -> list[int]:
    first = [len(ids) for ids in row["sequences"]]
    for one in row["decisions"]:
        for way in one["ways"]:
            first[way] = min(first[way], one["opens"])
    return first
