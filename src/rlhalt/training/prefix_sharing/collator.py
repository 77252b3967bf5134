"""Pairs, as TRL tokenises them → batches in which what their sides share stands once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import pad

from rlhalt.chat.token_spans import common_prefix
from rlhalt.training.prefix_sharing.layout import UNSCORED, Tree, lay_out, pack

# Columns of pairs whose loss counts some tokens alone (`rlhalt.training.masks`): 1 or 0 for each completion token.
MASKS = ("chosen_mask", "rejected_mask")


@dataclasses.dataclass
class SharedCollator(DataCollatorForPreference):  # type: ignore[misc]
    """TRL's collator for D pairs, and the trees that hold them in R rows of L tokens.

    What TRL's loss reads of a side is left of it: the last token that is given, and those that are scored.

        input_ids, completion_mask             (2D, T)      chosen sides first
        places                                 (2D, T - 1)  where in the trees (flattened) each next token is scored
        tree_ids, _positions, _ends, _labels   (R, L)       see `rlhalt.training.prefix_sharing.layout`
        attention_mask                         (R, L)       which tokens of the trees are real; TRL counts them
        margin                                 (D,)         of the pairs, where they have one

    Attributes:
        whole: whether tokens that both sides share are scored too. Where a loss reads nothing but the difference
            between the sides they cancel, and the log-probabilities that TRL logs are of the tokens that differ.
        width: tokens up to which examples share a row, and what they begin with. Attention is over a row: in one as
            long as the model is wide (its hidden size) it costs a sixth of what all else does.
    """

    whole: bool = False
    width: int = 0

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch of D pairs."""
        # Truncation, masks and reference values are TRL's.
        stock = super().torch_call(examples)
        real = stock["attention_mask"].bool()
        ids_2D = [row[kept].tolist() for row, kept in zip(stock["input_ids"], real, strict=True)]
        said_2D = [row[kept].tolist() for row, kept in zip(stock["completion_mask"], real, strict=True)]
        D = len(ids_2D) // 2
        if MASKS[0] in examples[0]:
            masks_2D = [example[name] for name in MASKS for example in examples]
            said_2D = [masked(said, mask) for said, mask in zip(said_2D, masks_2D, strict=True)]
        first_2D = [said.index(1) if 1 in said else len(said) for said in said_2D]
        if not self.whole:
            for row in range(D):
                shared = common_prefix(ids_2D[row], ids_2D[D + row])
                first_2D[row], first_2D[D + row] = (max(first_2D[one], shared) for one in (row, D + row))

        def tree_of(rows: Sequence[int]) -> Tree:
            return lay_out([ids_2D[row] for row in rows], [first_2D[row] for row in rows])

        lines = pack([len(tree_of((row, D + row)).ids) for row in range(D)], self.width)
        rows_of_R = [[row for number in line for row in (number, D + number)] for line in lines]
        trees_R = [tree_of(rows) for rows in rows_of_R]
        batch = batched(trees_R)
        L = batch["tree_ids"].size(1)

        # A side of which nothing is scored keeps a place that is masked.
        given_2D = [max(min(first - 1, len(ids) - 2), 0) for first, ids in zip(first_2D, ids_2D, strict=True)]
        places: list[torch.Tensor] = [torch.empty(0)] * (2 * D)
        for line, (rows, tree) in enumerate(zip(rows_of_R, trees_R, strict=True)):
            for row, path in zip(rows, tree.paths, strict=True):
                places[row] = torch.tensor(path[given_2D[row] :], dtype=torch.long) + line * L
        batch["places"] = pad(places, padding_value=0)
        views = list(zip(ids_2D, said_2D, first_2D, given_2D, strict=True))
        batch["input_ids"] = pad([torch.tensor(ids[given:]) for ids, _, _, given in views])
        batch["completion_mask"] = pad(
            [torch.tensor([0] * (first - given) + said[first:]) for _, said, first, given in views]
        )
        batch.update({name: stock[name] for name in ("ref_chosen_logps", "ref_rejected_logps") if name in stock})
        if "margin" in examples[0]:
            batch["margin"] = torch.tensor([one["margin"] for one in examples])
        return batch


def masked(said: list[int], mask: Sequence[int]) -> list[int]:
    """The completion mask of a side with what its own mask leaves; a mask has a number for each completion token."""
    kept = iter(mask)
    return [next(kept) if one else 0 for one in said]


def batched(trees_R: Sequence[Tree]) -> dict[str, torch.Tensor]:
    """Trees as tensors, (R, L) each: `tree_ids`, `tree_positions`, `tree_ends`, `tree_labels`, `attention_mask`."""
    L = max(len(tree.ids) for tree in trees_R)
    return {
        "tree_ids": _padded([tree.ids for tree in trees_R], [0] * L),
        "tree_positions": _padded([tree.positions for tree in trees_R], [0] * L),
        # What pads is seen by itself alone: a softmax over nothing would be no number.
        "tree_ends": _padded([tree.ends for tree in trees_R], list(range(1, L + 1))),
        "tree_labels": _padded([tree.labels for tree in trees_R], [UNSCORED] * L),
        "attention_mask": _padded([[1] * len(tree.ids) for tree in trees_R], [0] * L),
    }


def _padded(rows: Sequence[list[int]], padding: list[int]) -> torch.Tensor:
    return torch.tensor([[*row, *padding[len(row) :]] for row in rows])
