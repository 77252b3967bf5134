"""What a frozen model holds of each fragment: its hidden states at the fragment's last token, in one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhalt.reward_model.labels import Reading
from rlhalt.running.progress import track

BATCH = 16
Floats = npt.NDArray[np.float32]


def hidden_states(policy: Any, readings: Sequence[Reading], layers: Sequence[int]) -> list[Floats]:
    """The hidden states at the last token of each fragment.

    Args:
        policy: a causal model of transformers; its weights do not change.
        readings: R responses.
        layers: L of them; 0 is the embedding, n the output of the n-th block.

    Returns:
        For each response an array states_F_L_H, of its F fragments and the H numbers of a hidden state; NaN for a
        fragment without tokens.
    """
    import torch

    found: dict[int, Floats] = {}
    with torch.no_grad():
        for batch in tracked(readings, "hidden states"):
            inputs = padded([readings[index].ids for index in batch], policy.device)
            states = policy(**inputs, output_hidden_states=True, logits_to_keep=1).hidden_states
            for row, index in enumerate(batch):
                places = readings[index].places
                at = torch.tensor([max(one, 0) for one in places], device=policy.device)
                its = torch.stack([states[layer][row].index_select(0, at) for layer in layers], dim=1)
                found[index] = its.float().cpu().numpy()
                found[index][[place < 0 for place in places]] = np.nan
    size = int(policy.config.get_text_config().hidden_size)
    for index, one in enumerate(readings):
        if not one.ids:
            found[index] = np.full((len(one.spans), len(layers), size), np.nan, dtype=np.float32)
    return [found[index] for index in range(len(readings))]


def cut_after(policy: Any, layer: int) -> Any:
    """The model, without the blocks that a reader of one layer does not need: time and memory of a pass shrink by them.

    The model itself is changed: it gives no right logits any more. One whose blocks are not found stays whole.

    Args:
        policy: as `load_policy` gives it.
        layer: the deepest one that is read.
    """
    decoder = policy.get_decoder()
    blocks = getattr(decoder, "layers", None)
    if blocks is not None and len(blocks) == int(policy.config.get_text_config().num_hidden_layers):
        # One more than is read: behind the last block a model normalises its states, and a probe has seen them before.
        decoder.layers = blocks[: layer + 1]
    return policy


def padded(ids_of_rows: Sequence[list[int]], device: Any) -> dict[str, Any]:
    """Rows of one length, as a model takes them. Padding is behind every token, and no earlier token attends to it."""
    import torch

    longest = max(map(len, ids_of_rows))
    ids_B_T = [ids + [0] * (longest - len(ids)) for ids in ids_of_rows]
    mask_B_T = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in ids_of_rows]
    return {
        "input_ids": torch.tensor(ids_B_T, device=device),
        "attention_mask": torch.tensor(mask_B_T, device=device),
    }


def batches(readings: Sequence[Reading]) -> Iterator[list[int]]:
    """Responses of like length together, because padding is computed too; those without a token take no part."""
    order = sorted((i for i, one in enumerate(readings) if one.ids), key=lambda index: len(readings[index].ids))
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def tracked(readings: Sequence[Reading], what: str) -> Iterable[list[int]]:
    """`batches` with a progress bar; without one where a single batch is read, as a server does for each fragment."""
    found = list(batches(readings))
    return track(found, what) if len(found) > 1 else found


def candidate_layers(policy: Any, most: int = 8) -> list[int]:
    """The layers that a probe chooses from: at most `most`, evenly spaced up to the last one."""
    n = int(policy.config.get_text_config().num_hidden_layers)
    return sorted({round(n * step / most) for step in range(1, most + 1)} - {0})
