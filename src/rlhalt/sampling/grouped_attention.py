"""Attention with grouped queries on a CPU, without a copy of keys and values for each query head.

Where several query heads share one head of keys and values (Ainslie et al., arXiv 2305.13245), transformers' eager
attention repeats these for each query head. While text is generated a step has one query token a row, so that this copy
of the whole cache costs more than the products. Here the query heads of a group are rows of one product instead.
SmolLM2-135M, 32 responses: 1.5 to 1.65 times as fast (`python benchmarks/sampling_attention.py`).
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "rlhalt_grouped"


def use_grouped_attention(model: Any) -> None:
    """Have a model on a CPU compute attention so; plain eager attention where its own is not Llama's.

    The fused attention of PyTorch is slower here: it is made for many query tokens.
    """
    model.set_attn_implementation(_registered() if _alike(model) else "eager")


def _alike(model: Any) -> bool:
    """Whether the model's eager attention is that of Llama, word for word: no soft caps, no sinks."""
    from transformers.models.llama import modeling_llama

    own = getattr(sys.modules[type(model).__module__], "eager_attention_forward", None)
    return own is not None and inspect.getsource(own) == inspect.getsource(modeling_llama.eager_attention_forward)


def _registered() -> str:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(NAME, attention)
    # The mask is added to the scores, as eager attention does.
    AttentionMaskInterface.register(NAME, eager_mask)
    return NAME


def attention(
    module: torch.nn.Module,
    query_B_H_Q_D: torch.Tensor,
    key_B_K_T_D: torch.Tensor,
    value_B_K_T_D: torch.Tensor,
    mask_B_1_Q_T: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of H query heads over K heads of keys and values, K a divisor of H.

    Returns:
        B × Q × H × D, and None for the weights, which nobody asks for.
    """
    import torch

    batch, heads, queries, width = query_B_H_Q_D.shape
    shared = key_B_K_T_D.shape[1]
    rows = heads // shared * queries
    scores = query_B_H_Q_D.reshape(batch, shared, rows, width) @ key_B_K_T_D.transpose(2, 3) * scaling
    if mask_B_1_Q_T is not None:
        by_query = scores.view(batch, shared, heads // shared, queries, -1)
        by_query += mask_B_1_Q_T[..., : key_B_K_T_D.shape[2]].unsqueeze(1)
    weights = scores.softmax(-1, dtype=torch.float32).to(query_B_H_Q_D.dtype)
    weights = torch.nn.functional.dropout(weights, dropout, module.training)
    return (weights @ value_B_K_T_D).view(batch, heads, queries, width).transpose(1, 2).contiguous(), None
