"""A model run over trees: what each token sees, the log-probabilities of its labels, and whether it computes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from transformers import PreTrainedConfig

from rlhalt.errors import InputError
from rlhalt.training.prefix_sharing.layout import UNSCORED
from rlhalt.training.setup import scoring_only_completions

FULL, SLIDING = "full_attention", "sliding_attention"


def sees(ends_R_L: torch.Tensor) -> torch.Tensor:
    """What each token of the trees sees, (R, 1, L, L) of bool: the tokens whose subtree it stands in."""
    index = torch.arange(ends_R_L.size(1), device=ends_R_L.device)
    return ((index[None, :] <= index[:, None]) & (index[:, None] < ends_R_L[:, None, :]))[:, None]


def over_trees(
    model: Any,
    config: PreTrainedConfig,
    tree_ids: torch.Tensor,
    tree_positions: torch.Tensor,
    tree_ends: torch.Tensor,
    tree_labels: torch.Tensor,
    **kwargs: Any,
) -> Any:
    """The outputs of TRL's fused head on trees, (R, L) each: `log_probs` of the labels, 0 where nothing is scored.

    Args:
        model: with `trl.trainer.utils.add_fused_lm_head`, wrapped by whatever trains it.
        config: of the model.
    """
    mask = _mask(config, sees(tree_ends), tree_positions)
    with scoring_only_completions():
        return model(
            input_ids=tree_ids, attention_mask=mask, position_ids=tree_positions, shift_labels=tree_labels, **kwargs
        )


def _mask(
    config: PreTrainedConfig, seen_R_1_L_L: torch.Tensor, positions_R_L: torch.Tensor
) -> torch.Tensor | dict[str, torch.Tensor]:
    """The mask as the model takes it: one for all layers, or one for each kind of layer where some have a window."""
    if _kinds(config) == {FULL}:
        return _as_taken(config, seen_R_1_L_L)
    # A window counts tokens of the sequence, which are not neighbours in the tree: their positions tell.
    distance_R_L_L = positions_R_L[:, :, None] - positions_R_L[:, None, :]
    near = seen_R_1_L_L & (distance_R_L_L < config.get_text_config().sliding_window)[:, None]
    return {FULL: _as_taken(config, seen_R_1_L_L), SLIDING: _as_taken(config, near)}


def _as_taken(config: PreTrainedConfig, seen: torch.Tensor) -> torch.Tensor:
    if config._attn_implementation != "eager":
        return seen
    return torch.zeros_like(seen, dtype=torch.float32).masked_fill(~seen, torch.finfo(torch.float32).min)


def _kinds(config: PreTrainedConfig) -> set[str]:
    return set(getattr(config.get_text_config(), "layer_types", None) or [FULL])


def check_trees(
    model: Any,
    config: PreTrainedConfig,
    precision: str,
    trees: dict[str, torch.Tensor],
    leaves: Iterable[int],
    hint: str,
) -> None:
    """See on a batch that a model answers for a tree what it answers for its sequences one by one.

    Args:
        precision: accelerate's word for what is computed in.
        trees: `tree_ids`, `tree_positions`, `tree_ends`, `tree_labels`, (R, L) each.
        leaves: in the flattened trees, tokens up to which sequences are asked for; each costs a call.
        hint: what to do instead.

    Raises:
        InputError: it does not.
    """
    check_attention(config, hint)
    training = model.training
    model.eval()
    with torch.no_grad():
        shared = over_trees(model, config, **trees, fused_lm_head=True, use_cache=False).log_probs
        worst = 0.0
        for leaf in leaves:
            line, token = divmod(leaf, shared.size(1))
            seen = sees(trees["tree_ends"][line : line + 1])[0, 0, token]
            labels = trees["tree_labels"][line][seen][None]
            with scoring_only_completions():
                alone = model(input_ids=trees["tree_ids"][line][seen][None], shift_labels=labels, fused_lm_head=True)
            off = (alone.log_probs[0] - shared[line][seen])[labels[0] != UNSCORED]
            worst = max([worst, *(off.abs() / (1 + shared[line][seen][labels[0] != UNSCORED].abs())).tolist()])
    model.train(training)
    low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, next(model.parameters()).dtype)
    if not worst <= 3 * torch.finfo(low).eps ** 0.5:
        raise InputError(
            f"expected a model that computes a tree of answers as it computes each, found log-probabilities that "
            f"differ by {worst:.2g}: its attention does not take the mask; {hint}"
        )


def check_attention(config: PreTrainedConfig, hint: str) -> None:
    """See that a model's attention takes a mask of what each token sees.

    Raises:
        InputError: it does not.
    """
    if config._attn_implementation not in ("sdpa", "eager"):
        raise InputError(
            f"expected attention that takes a mask (sdpa or eager), found {config._attn_implementation}; {hint}",
            field="attn_implementation",
        )
    kinds = _kinds(config)
    window = getattr(config.get_text_config(), "sliding_window", None)
    # The first batch may be shorter than the window: what a window cuts off would show only later. So it must be said
    # which layers have one.
    if not kinds <= {FULL, SLIDING} or (SLIDING in kinds) != bool(window):
        raise InputError(
            f"expected full attention in all layers, or a sliding_window and layer_types that say where it is, found "
            f"{', '.join(sorted(kinds))} with sliding_window {window}; {hint}"
        )
