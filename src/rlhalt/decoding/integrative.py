"""Integrative Decoding (Cheng et al., arXiv 2410.01556): each next token is chosen with all earlier answers in view.

    r_1 … r_k sampled;  contexts q_j = [x; r_j; x];  y_t = argmax Σ_j log p(y_t | q_j, y_<t)      eq. 5 to 7

What the answers have in common is likely in every context, so consistency is a part of the decoding objective and no
answer is compared with another. The k contexts generate the same tokens side by side, which costs k sequences of twice
the length beside the k samples. The question is asked again as the user's next turn. Where a response is sampled
(temperature T), its tokens are drawn from softmax(Σ_j log p / T).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhalt.decoding.candidates import drawn, seed_of
from rlhalt.decoding.setup import Setup
from rlhalt.records import Message
from rlhalt.sampling import Completion

if TYPE_CHECKING:
    import torch

    from rlhalt.sampling.local import Step, TransformersEngine

ROWS = 32
"""Contexts that generate together."""


def engine(inner: TransformersEngine, setup: Setup) -> Integrative:
    """The engine of Integrative Decoding."""
    return Integrative(inner, setup.how.samples)


class Integrative:
    """An `Engine`; `samples` answers are the contexts of each response."""

    def __init__(self, inner: TransformersEngine, samples: int) -> None:
        self._inner, self._samples = inner, samples

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`; `n_tokens` counts the samples too."""
        k, found = self._samples, []
        every = drawn(self._inner, chats, k, temperature, max_tokens, seed)
        together = max(1, ROWS // k)
        for start in range(0, len(chats), together):
            some = list(zip(chats, every, strict=True))[start : start + together]
            contexts = [[*chat, _assistant(one.text), chat[-1]] for chat, its in some for one in its]
            said = self._inner.complete(
                contexts, temperature=temperature, max_tokens=max_tokens, seed=seed_of(seed, k + start),
                begin=lambda _: _summed(k), alike=k,
            )  # fmt: skip
            for (_, its), one in zip(some, said[::k], strict=True):
                found.append(dataclasses.replace(one, n_tokens=one.n_tokens + sum(each.n_tokens for each in its)))
        return found


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _summed(k: int) -> Step:
    """Log-probabilities summed over each k rows, the same for all of them."""

    def step(_: torch.Tensor, logits_B_V: torch.Tensor) -> torch.Tensor:
        log_p = logits_B_V.log_softmax(-1)
        return log_p.view(-1, k, log_p.shape[-1]).sum(1).repeat_interleave(k, dim=0)

    return step
