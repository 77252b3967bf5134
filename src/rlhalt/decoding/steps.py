"""Engines that change the logits of the next token, and the contrast that two of them share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhalt.records import Message
from rlhalt.sampling import Completion

if TYPE_CHECKING:
    import torch

    from rlhalt.sampling.local import Begin, TransformersEngine

ALPHA = 0.1


class Stepwise:
    """An `Engine` that generates as another one, with other logits.

    Args:
        inner: the model's own engine.
        begin: makes what changes the logits, a batch each.
    """

    def __init__(self, inner: TransformersEngine, begin: Begin) -> None:
        self._inner, self._begin = inner, begin

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`."""
        return self._inner.complete(chats, temperature=temperature, max_tokens=max_tokens, seed=seed, begin=self._begin)


def contrast(log_p_B_V: torch.Tensor, log_q_B_V: torch.Tensor) -> torch.Tensor:
    """log p - log q where p is at least α = 0.1 times the greatest p, else -∞ (Li et al., arXiv 2210.15097, eq. 3).

    Without that limit ("adaptive plausibility constraint") a token that both take for impossible could win.

    Args:
        log_p_B_V: log-probabilities of the model; log_q_B_V: of what it is contrasted with.
    """
    import torch

    plausible = log_p_B_V >= log_p_B_V.amax(-1, keepdim=True) + math.log(ALPHA)
    return torch.where(plausible, log_p_B_V - log_q_B_V, -torch.inf)
