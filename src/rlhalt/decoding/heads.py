"""The outputs of a model's attention heads, before the projection that joins them: read, and shifted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhalt.errors import InputError
from rlhalt.reward_model.hidden_states import padded, tracked
from rlhalt.reward_model.labels import Reading

Floats = npt.NDArray[np.float32]


def joining(model: Any) -> list[Any]:
    """The projection of each layer whose input are the outputs of its heads, side by side.

    Raises:
        InputError: a model whose layers are built otherwise.
    """
    found = [getattr(getattr(one, "self_attn", None), "o_proj", None) for one in model.get_decoder().layers]
    if None in found:
        raise InputError(
            f"expected a model with self_attn.o_proj in every layer, as Llama's, found {type(model).__name__}",
            field="--decode",
        )
    return found


def activations(model: Any, readings: Sequence[Reading]) -> list[Floats]:
    """The outputs of all heads at the last token of each fragment, in one pass a batch.

    Returns:
        For each reading an array F × L × H × D: fragments, layers, heads, width; NaN for a fragment without tokens.
    """
    import torch

    layers, n = joining(model), int(model.config.get_text_config().num_attention_heads)
    found = [
        np.full((len(one.spans), len(layers), n, layers[0].in_features // n), np.nan, np.float32) for one in readings
    ]
    seen: dict[int, Any] = {}

    def keep(number: int, inputs: tuple[Any, ...]) -> None:
        seen[number] = inputs[0]

    with contextlib.ExitStack() as hooks, torch.no_grad():
        for number, layer in enumerate(layers):
            handle = layer.register_forward_pre_hook(lambda _, inputs, number=number: keep(number, inputs))
            hooks.callback(handle.remove)
        for batch in tracked(readings, "heads"):
            model(**padded([readings[index].ids for index in batch], model.device), logits_to_keep=1)
            for row, index in enumerate(batch):
                for fragment, place in enumerate(readings[index].places):
                    if place >= 0:
                        states = torch.stack([seen[number][row, place] for number in range(len(layers))])
                        found[index][fragment] = states.float().view(len(layers), n, -1).cpu().numpy()
    return found


@contextlib.contextmanager
def shifted(model: Any, shift_L_HD: Any) -> Iterator[None]:
    """Within, the heads' outputs at the last token of what is read have a shift added to them.

    Args:
        shift_L_HD: layers × (heads · width); a layer whose shift is 0 is left alone.
    """
    with contextlib.ExitStack() as hooks:
        for layer, shift in zip(joining(model), shift_L_HD, strict=True):
            if shift.any():

                def add(_: Any, inputs: tuple[Any, ...], shift: Any = shift) -> tuple[Any, ...]:
                    moved = inputs[0].clone()
                    moved[:, -1] += shift.to(moved)
                    return (moved, *inputs[1:])

                hooks.callback(layer.register_forward_pre_hook(add).remove)
        yield
