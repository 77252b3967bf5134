"""DoLa (Chuang et al., arXiv 2309.03883): the last layer in contrast to an earlier one of the same model.

    q_N = softmax(logits),  q_j = softmax(head(h_j))             h_j: the output of layer j at the last token
    M = argmax over candidates j of JSD(q_N, q_j)                 eq. 3, for each row and each token
    F = log q_N - log q_M where q_N ≥ α max q_N, else -∞          eq. 4 and 5, α = 0.1;  p = softmax(F)

A fact is said to be settled in the later layers: what they add to an earlier guess is what the model knows. Candidates
are every second layer of the upper half, the paper's bucket for short facts (transformers' `dola_layers="high"`).

Differences: the paper's repetition penalty of 1.2 is left out, because it changes more than the contrast does;
transformers and the authors' code average the divergence over a batch, and take it as KL(M, q) in place of the
definition's KL(q, M). As there, h_j goes to the head without the last layer's norm. transformers 5 has DoLa only as
code that is loaded from a hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlhalt.decoding.setup import Setup
from rlhalt.decoding.steps import Stepwise, contrast
from rlhalt.errors import InputError

if TYPE_CHECKING:
    import torch

    from rlhalt.sampling.local import Step, TransformersEngine


def engine(inner: TransformersEngine, setup: Setup) -> Stepwise:
    """The engine of DoLa.

    Raises:
        InputError: a model of one layer.
    """
    import torch

    layers, head = inner.model.get_decoder().layers, inner.model.get_output_embeddings()
    numbers = candidates(len(layers))
    last: dict[int, torch.Tensor] = {}
    for number in numbers:

        def keep(_: Any, __: Any, output: Any, number: int = number) -> None:
            last[number] = (output[0] if isinstance(output, tuple) else output)[:, -1]

        # Layer j's output is that of the j-th block; layer 0 would be the embedding.
        layers[number - 1].register_forward_hook(keep)

    def step(_: torch.Tensor, logits_B_V: torch.Tensor) -> torch.Tensor:
        log_p_B_V = logits_B_V.log_softmax(-1)
        early_L_B_V = torch.stack([head(last[number]).float().log_softmax(-1) for number in numbers])
        premature_B = divergence(log_p_B_V, early_L_B_V).argmax(0)
        return contrast(log_p_B_V, early_L_B_V[premature_B, torch.arange(len(log_p_B_V))])

    def begin(_: torch.Tensor) -> Step:
        return step

    return Stepwise(inner, begin)


def candidates(n: int) -> list[int]:
    """The layers that may be contrasted, of n.

    >>> candidates(12)
    [6, 8, 10]
    """
    if n < 2:
        raise InputError(f"expected a model of at least 2 layers for DoLa, found {n}", field="--decode")
    return list(range(max(n // 2, n - 20), n, 2))


def divergence(log_p_B_V: torch.Tensor, log_q_L_B_V: torch.Tensor) -> torch.Tensor:
    """The Jensen-Shannon divergence of p from each of L distributions q, in nats, L × B."""
    p, q = log_p_B_V.exp(), log_q_L_B_V.exp()
    log_m = ((p + q) / 2).clamp(min=1e-30).log()
    return ((p * (log_p_B_V - log_m)).sum(-1) + (q * (log_q_L_B_V - log_m)).sum(-1)) / 2
