"""Preference training on pairs, with TRL's DPOTrainer; what both sides share is computed once.

    accelerate launch scripts/train_dpo.py --config configs/dpo/135m.yaml

A pair's weight is how often it is drawn, so that TRL's loss stays as it is: the expected gradient is that of the
weighted loss, and no step is spent on a pair that hardly counts.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhalt.contamination import prompts_seen
from rlhalt.errors import InputError
from rlhalt.records import Pair, Rows
from rlhalt.training import training_run
from rlhalt.training.masks import with_masks
from rlhalt.training.rows import on_disk
from rlhalt.training.template import Templated, rows_as_sampled
from rlhalt.training.token_alignment import Misaligned, objections, reasons
from rlhalt.training_data.preferences.methods import knows_threshold


@dataclasses.dataclass
class DpoData(Templated):
    """What to train on.

    Attributes:
        train_file: pairs, JSON lines of `rlhalt.records.Pair`.
        draws: how many pairs are drawn by weight for one epoch.
        second_reference: a model whose log-probabilities are put together with the reference's, see
            `rlhalt.training.mrpo`.
        anchor: weight of -log π of the words in which the sides differ, of both sides, see
            `rlhalt.training.prefix_sharing.trainer`.
        shared: compute what the two sides of a pair share once, see `rlhalt.training.prefix_sharing`.
    """

    train_file: str = dataclasses.field(metadata={"help": "Pairs: JSON lines with prompt, chosen, rejected, weight."})
    draws: int = dataclasses.field(metadata={"help": "Pairs drawn by weight for one epoch."})
    second_reference: str | None = dataclasses.field(
        default=None, metadata={"help": "A second reference model (MRPO), of the same architecture."}
    )
    anchor: float = dataclasses.field(
        default=0.0, metadata={"help": "Weight of -log π of the words in which the sides differ, of both sides."}
    )
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


@dataclasses.dataclass(frozen=True)
class Aligned:
    """Which pairs of a file are trained on.

    Attributes:
        numbers: where in the file they stand, from 0.
        weights: theirs, a number each.
        prompts: see `rlhalt.contamination.prompts_seen`.
        thresholds: the τ that they were made at; none of a method that knows none, whose pairs say ½.
        refused: those that are not aligned.
    """

    numbers: array[int]
    weights: array[float]
    prompts: list[str]
    thresholds: list[float]
    refused: list[Misaligned]


def aligned(tokenizer: Any, pairs: Iterable[Pair], max_length: int | None, template_args: Any = None) -> Aligned:
    """The pairs to train on; of each no more is kept than two numbers."""
    numbers, weights, refused = array("q"), array("d"), []
    prompts: set[str] = set()
    thresholds: set[float] = set()
    for number, (pair, reason) in enumerate(objections(tokenizer, pairs, max_length, template_args)):
        if reason is None:
            numbers.append(number)
            weights.append(pair.weight)
            prompts.update(prompts_seen([pair]))
            if knows_threshold(pair.style):
                thresholds.add(pair.threshold)
        else:
            refused.append(Misaligned(pair.key, reason))
    return Aligned(numbers, weights, sorted(prompts), sorted(thresholds), refused)


def main(argv: Sequence[str]) -> None:
    """Train; the model (or its LoRA adapter), the tokenizer and run.json go to `output_dir`."""
    from trl import DPOConfig, DPOTrainer, ModelConfig

    from rlhalt.training.setup import fit, load_trainable, parse, reference_model

    data, args, model_args = parse((DpoData, DPOConfig, ModelConfig), argv)
    if data.second_reference and not (data.shared and args.precompute_ref_log_probs):
        raise InputError(
            "expected true with second_reference, and shared: true: both references are asked before training",
            field="precompute_ref_log_probs",
        )
    if not 0 <= data.anchor < math.inf or (data.anchor and not data.shared):
        raise InputError(
            f"expected a weight of 0 or more, and 0 with shared: false, found {data.anchor:g}", field="anchor"
        )
    rows = Rows(Path(data.train_file), Pair)
    with training_run("dpo", argv, data.train_file, args.output_dir, model_args.model_name_or_path) as run:
        from rlhalt.training.mrpo import with_second_reference
        from rlhalt.training.prefix_sharing.trainer import SharedDPOTrainer

        if not prompts_seen(rows):
            raise InputError("expected pairs to train on, found none", path=data.train_file)
        model, tokenizer, peft_config = load_trainable(model_args, data.base_template)
        taken = aligned(tokenizer, rows, args.max_length, data.chat_template_kwargs)
        run.result(
            prompts=taken.prompts,
            thresholds=taken.thresholds,
            not_aligned=[dataclasses.asdict(one) for one in taken.refused],
        )
        if taken.refused:
            count = len(taken.numbers) + len(taken.refused)
            print(
                f"{len(taken.refused)} of {count} pairs are not trained on: {reasons(taken.refused)}", file=sys.stderr
            )
        drawn = [taken.numbers[index] for index in draw(taken.weights, data.draws, args.seed)]
        margins, spans = any(one.margin for one in rows), any(one.chosen_spans or one.rejected_spans for one in rows)
        if (margins or spans) and not data.shared:
            raise InputError(
                "expected true: TRL's own DPOTrainer would drop the pairs' margins and spans", field="shared"
            )
        dataset = on_disk(rows, ("prompt", "chosen", "rejected", *(("margin",) if margins else ()))).select(drawn)
        if spans:
            dataset = with_masks(tokenizer, rows, drawn, dataset, data.chat_template_kwargs)
        with rows_as_sampled(tokenizer, data.chat_template_kwargs):
            ours = functools.partial(SharedDPOTrainer, whole=bool(data.second_reference), anchor=data.anchor)
            kind = ours if data.shared else DPOTrainer
            trainer = kind(
                model=model,
                args=args,
                train_dataset=dataset,
                processing_class=tokenizer,
                peft_config=peft_config,
            )
        if data.second_reference:
            trainer.train_dataset = with_second_reference(trainer, reference_model(data.second_reference))
        fit(trainer, run, (data, args, model_args))
