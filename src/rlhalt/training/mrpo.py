"""MRPO (arXiv 2405.16388): DPO whose reference is put together of two models, base and SFT.

    π(y) = 1 / (½ / π_1(y) + ½ / π_2(y))       log π = log π_1 + log π_2 - log(½ π_1 + ½ π_2)

With several references, KL penalties of all of them lead to DPO with this harmonic mean in the reference's place. A
response that one of the references finds unlikely is unlikely under it. The loss stays TRL's, which takes
log-probabilities that were computed beforehand (`precompute_ref_log_probs: true`). The paper also clips the second
reference to the first and weighs them by how well they tell the sides apart; both are left out, the weights are ½.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils.data import DataLoader
from trl.trainer.utils import add_fused_lm_head

_SIDES = ("ref_chosen_logps", "ref_rejected_logps")


def combined(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The log-probabilities of the common reference, for those of two references, of any shape.

    >>> combined(torch.tensor(0.5).log(), torch.tensor(0.25).log()).exp()
    tensor(0.3333)
    """
    return first + second - torch.logaddexp(first, second) + math.log(2)


def with_second_reference(trainer: Any, model: Any) -> Any:
    """The training rows of a trainer, with reference values of its own reference and a second model.

    Args:
        trainer: a `SharedDPOTrainer` whose rows have the values of its own reference, over whole sides: what both begin
            with does not cancel in a mean of two references.
        model: the second reference, of the same architecture.
    """
    rows = trainer.train_dataset
    batches = DataLoader(
        rows, batch_size=trainer.args.per_device_train_batch_size, collate_fn=trainer.data_collator, shuffle=False
    )
    model = model.to(trainer.accelerator.device).eval()
    # As TRL does with its own reference.
    add_fused_lm_head(model)
    found = [trainer.compute_ref_log_probs(model, trainer._prepare_inputs(batch)) for batch in batches]
    for name, values in zip(_SIDES, zip(*found, strict=True), strict=True):
        second = torch.cat(values).double().cpu()
        own = torch.tensor(rows[name], dtype=torch.double)
        rows = rows.remove_columns(name).add_column(name, combined(own, second).tolist())
    return rows
