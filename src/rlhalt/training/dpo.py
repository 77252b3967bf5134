"""Preference training on pairs, with TRL's DPOTrainer; what both sides share is computed once.

    accelerate launch scripts/train_dpo.py --config configs/dpo/countries.yaml

A pair's weight is how often it is drawn, so that TRL's loss stays as it is: the expected gradient is that of the
weighted loss, and no step is spent on a pair that hardly counts.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np

from rlhalt.alignment import align, reasons
from rlhalt.errors import InputError
from rlhalt.pairs.leakage import prompts_seen
from rlhalt.records import Pair, read
from rlhalt.training import training_run
from rlhalt.training.checkpoints import Resumable


@dataclasses.dataclass
class DpoData(Resumable):
    """What to train on.

    Attributes:
        train_file: pairs, JSON lines of `rlhalt.records.Pair`.
        draws: how many pairs are drawn by weight for one epoch.
        shared: compute what the two sides of a pair share once, see `rlhalt.training.shared`.
    """

    train_file: str = dataclasses.field(metadata={"help": "Pairs: JSON lines with prompt, chosen, rejected, weight."})
    draws: int = dataclasses.field(metadata={"help": "Pairs drawn by weight for one epoch."})
    shared: bool = dataclasses.field(
        default=True, metadata={"help": "Compute what both sides share once; losses and gradients are the same."}
    )


def draw(weights_N: Sequence[float], draws: int, seed: int) -> list[int]:
    """Indices drawn in proportion to their weights, by systematic resampling, in random order.

    Each index i comes floor or ceil of `draws · w_i / Σ w` times: the least noise that whole numbers allow.

    Raises:
        InputError: no pairs, or weights that are not positive.
    """
    weights = np.asarray(weights_N, dtype=float)
    if weights.size == 0 or not np.all(weights > 0):
        raise InputError("expected pairs with positive weights, found none or a weight of 0", field="weight")
    rng = np.random.default_rng(seed)
    # Neighbours come from one response: shuffled first, or the comb would run through responses in step.
    order = rng.permutation(weights.size)
    ticks = (rng.random() + np.arange(draws)) * (weights.sum() / draws)
    drawn = order[np.searchsorted(np.cumsum(weights[order]), ticks, side="right").clip(max=weights.size - 1)]
    return [int(one) for one in rng.permutation(drawn)]


def main(argv: Sequence[str]) -> None:
    """Train; the model (or its LoRA adapter), the tokenizer and run.json go to `output_dir`."""
    from trl import DPOConfig, DPOTrainer, ModelConfig

    from rlhalt.training.setup import fit, load_trainable, parse

    data, args, model_args = parse((DpoData, DPOConfig, ModelConfig), argv)
    rows = list(read(data.train_file, Pair))
    with training_run("dpo", argv, data.train_file, args.output_dir, model_args.model_name_or_path) as run:
        from datasets import Dataset

        model, tokenizer, peft_config = load_trainable(model_args)
        aligned, refused = align(tokenizer, rows, args.max_length)
        run.result(prompts=prompts_seen(aligned), not_aligned=[dataclasses.asdict(one) for one in refused])
        if refused:
            print(f"{len(refused)} of {len(rows)} pairs are not trained on: {reasons(refused)}", file=sys.stderr)
        drawn = [aligned[index] for index in draw([row.weight for row in aligned], data.draws, args.seed)]
        dataset = Dataset.from_list(
            [{"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected} for row in drawn]
        )
        from rlhalt.training.shared.trainer import SharedDPOTrainer

        trainer = (SharedDPOTrainer if data.shared else DPOTrainer)(
            model=model, args=args, train_dataset=dataset, processing_class=tokenizer, peft_config=peft_config
        )
        fit(trainer, run, (data, args, model_args))
