"""Pairs and trees of decisions → batches in which what sides share stands once.

A row of data is either a pair as TRL tokenises it, or a tree of decisions:

    prompt_ids, chosen_ids, rejected_ids       a pair
    trunk_ids, branches, decisions             a tree: a response, and the ways to part from it

    trunk_ids   the ids of prompt and response
    branches    [{"position": 41, "ids": [...]}, ...]: what may follow the first 41 tokens of the trunk
    decisions   [{"better": 0, "worse": 1, "weight": 0.5}, ...]: branches by number

A decision is a pair: its sides are what its two branches make of the trunk. To go on is a branch as well, the trunk's
own next token; it costs nothing, since equal tokens stand once.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import pad

from rlhalt.records import Json
from rlhalt.training.shared.layout import UNSCORED, Tree, common_prefix, lay_out, pack


def sides(row: Mapping[str, Any]) -> list[Json]:
    """The pairs of a row, tokenised: itself, or one for each decision of a tree."""
    if "decisions" not in row:
        pairs = [{name: row[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}]
    else:
        pairs = [_decided(row["trunk_ids"], row["branches"], one) for one in row["decisions"]]
    if "ref_chosen_logps" in row:
        references = zip(row["ref_chosen_logps"], row["ref_rejected_logps"], strict=True)
        for pair, (chosen, rejected) in zip(pairs, references, strict=True):
            pair.update(ref_chosen_logps=chosen, ref_rejected_logps=rejected)
    return pairs


def _decided(trunk: Sequence[int], branches: Sequence[Mapping[str, Any]], decision: Mapping[str, Any]) -> Json:
    better, worse = branches[decision["better"]], branches[decision["worse"]]
    start = min(better["position"], worse["position"])
    chosen, rejected = ([*trunk[start : one["position"]], *one["ids"]] for one in (better, worse))
    return {"prompt_ids": list(trunk[:start]), "chosen_ids": chosen, "rejected_ids": rejected}


@dataclasses.dataclass
class SharedCollator(DataCollatorForPreference):  # type: ignore[misc]
    """TRL's collator for D pairs, and the trees that hold them in R rows of L tokens.

    What TRL's loss reads of a side is left of it: the last token that is given, and those that are scored.

        input_ids, completion_mask             (2D, T)      chosen sides first
        places                                 (2D, T - 1)  where in the trees (flattened) each next token is scored
        tree_ids, _positions, _ends, _labels   (R, L)       see `rlhalt.training.shared.layout`
        attention_mask                         (R, L)       which tokens of the trees are real; TRL counts them
        weights                                (D,)         of decisions, over the number of trees; not for pairs

    Attributes:
        whole: whether tokens that both sides share are scored too. Where a loss reads nothing but the difference
            between the sides they cancel, and the log-probabilities that TRL logs are of the tokens that differ.
        width: tokens up to which examples share a row, and what they begin with. Attention is over a row: in one as
            long as the model is wide (its hidden size) it costs a sixth of what all else does.
        slots: where set, `slots` (rows, slots) comes with a batch: which of the D pairs each row has.
    """

    whole: bool = False
    width: int = 0
    slots: int | None = None

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch of rows."""
        pairs_N = [sides(one) for one in examples]
        # Truncation, masks and reference values are TRL's.
        stock = super().torch_call([pair for pairs in pairs_N for pair in pairs])
        real = stock["attention_mask"].bool()
        ids_2D = [row[kept].tolist() for row, kept in zip(stock["input_ids"], real, strict=True)]
        said_2D = [row[kept].tolist() for row, kept in zip(stock["completion_mask"], real, strict=True)]
        D = len(ids_2D) // 2
        first_2D = [said.index(1) if 1 in said else len(said) for said in said_2D]
        if not self.whole:
            for row in range(D):
                shared = common_prefix(ids_2D[row], ids_2D[D + row])
                first_2D[row], first_2D[D + row] = (max(first_2D[one], shared) for one in (row, D + row))

        ends = list(itertools.accumulate(len(pairs) for pairs in pairs_N))
        pairs_of_N = [list(range(end - len(pairs), end)) for end, pairs in zip(ends, pairs_N, strict=True)]
        rows_of_N = [[*numbers, *(D + number for number in numbers)] for numbers in pairs_of_N]

        def tree_of(rows: Sequence[int]) -> Tree:
            return lay_out([ids_2D[row] for row in rows], [first_2D[row] for row in rows])

        lines = pack([len(tree_of(rows).ids) for rows in rows_of_N], self.width)
        rows_of_R = [[row for number in line for row in rows_of_N[number]] for line in lines]
        trees_R = [tree_of(rows) for rows in rows_of_R]
        L = max(len(tree.ids) for tree in trees_R)
        batch = {
            "tree_ids": _padded([tree.ids for tree in trees_R], [0] * L),
            "tree_positions": _padded([tree.positions for tree in trees_R], [0] * L),
            # What pads is seen by itself alone: a softmax over nothing would be no number.
            "tree_ends": _padded([tree.ends for tree in trees_R], list(range(1, L + 1))),
            "tree_labels": _padded([tree.labels for tree in trees_R], [UNSCORED] * L),
            "attention_mask": _padded([[1] * len(tree.ids) for tree in trees_R], [0] * L),
        }

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
        if "decisions" in examples[0]:
            weights = [decision["weight"] for example in examples for decision in example["decisions"]]
            batch["weights"] = torch.tensor(weights) / len(examples)
        if self.slots is not None:
            slots = [[*numbers, *[0] * self.slots][: self.slots] for numbers in pairs_of_N]
            batch["slots"] = torch.tensor(slots)
        return batch


def _padded(rows: Sequence[list[int]], padding: list[int]) -> torch.Tensor:
    return torch.tensor([[*row, *padding[len(row) :]] for row in rows])
