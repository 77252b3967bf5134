"""What the decisions of a batch cost, and the words that are to stay as they are."""

from __future__ import annotations

import dataclasses

import torch
from torch.nn.functional import logsigmoid


@dataclasses.dataclass(frozen=True)
class Sums:
    """Over a batch; see `rlhalt.training.decisions`.

    Attributes:
        decided: Σ |u| · -log σ(sign(u) β Δ) / β.
        held: Σ -log P(one of the ways).
        anchored: Σ -log P(word).
        odds: Δ (D,), the log-odds of speaking.
    """

    decided: torch.Tensor
    held: torch.Tensor
    anchored: torch.Tensor
    odds: torch.Tensor


def sums(
    log_probs: torch.Tensor, ways_D_W_K: torch.Tensor, worth_D: torch.Tensor, said_M: torch.Tensor, beta: float
) -> Sums:
    """The sums of a batch.

    Args:
        log_probs: of the labels of the trees, flattened.
        ways_D_W_K, worth_D, said_M: see `rlhalt.training.decision_trees.collator`.
    """
    there = ways_D_W_K >= 0
    each = log_probs[ways_D_W_K.clamp(min=0)].masked_fill(~there, 0).sum(dim=2)
    # No way: as good as impossible, without an infinity that would make gradients of nothing.
    each = each.masked_fill(~there.any(dim=2), -1e4)
    odds = each[:, 0] - each[:, 1:].logsumexp(dim=1)
    return Sums(
        decided=-(worth_D.abs() * logsigmoid(beta * worth_D.sign() * odds)).sum() / beta,
        held=-each.logsumexp(dim=1).sum(),
        anchored=-log_probs[said_M].sum(),
        odds=odds,
    )
