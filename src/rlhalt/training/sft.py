"""Supervised fine-tuning on targets, with TRL's SFTTrainer.

accelerate launch scripts/train_sft.py --config configs/sft/135m.yaml
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhalt.contamination import prompts_seen
from rlhalt.errors import InputError
from rlhalt.models.trained_threshold import thresholds_stated
from rlhalt.records import Rows, Target
from rlhalt.training import training_run
from rlhalt.training.mixing import Mixing, dataset_of, mixed_in
from rlhalt.training.rows import on_disk
from rlhalt.training.template import Templated, rows_as_sampled


@dataclasses.dataclass
class SftData(Templated, Mixing):
    """What to train on.

    Attributes:
        train_file: targets, JSON lines of `rlhalt.records.Target`.
    """

    train_file: str = dataclasses.field(metadata={"help": "Targets: JSON lines with prompt and completion."})


def main(argv: Sequence[str]) -> None:
    """Train; the model (or its LoRA adapter), the tokenizer and run.json go to `output_dir`."""
    from datasets import concatenate_datasets
    from trl import ModelConfig, SFTConfig, SFTTrainer

    from rlhalt.training.setup import fit, load_trainable, parse

    data, args, model_args = parse((SftData, SFTConfig, ModelConfig), argv)
    data.check_mixing()
    rows = Rows(Path(data.train_file), Target)
    with training_run("sft", argv, data.train_file, args.output_dir, model_args.model_name_or_path) as run:
        prompts = prompts_seen(rows)
        if not prompts:
            raise InputError("expected targets to train on, found none", path=data.train_file)
        dataset = on_disk(rows, ("prompt", "completion"))
        general, mixed = mixed_in(
            data, model_args.model_name_or_path, data.chat_template_kwargs, len(dataset), args.seed
        )
        if general:
            dataset = concatenate_datasets([dataset, dataset_of(general)])
            run.result(mixed=mixed)
        run.result(prompts=sorted({*prompts, *prompts_seen(general)}))
        if thresholds := thresholds_stated(rows):
            run.result(thresholds=thresholds)
        model, tokenizer, peft_config = load_trainable(model_args, data.base_template)
        with rows_as_sampled(tokenizer, data.chat_template_kwargs):
            trainer = SFTTrainer(
                model=model, args=args, train_dataset=dataset, processing_class=tokenizer, peft_config=peft_config
            )
        if not args.packing and (cut := _reaching(trainer.train_dataset, args.max_length)):
            run.result(cut=cut)
            print(
                f"{cut} of {len(trainer.train_dataset)} targets reach max_length ({args.max_length} tokens): what lies "
                "beyond is cut, and the model does not learn how they end",
                file=sys.stderr,
            )
        fit(trainer, run, (data, args, model_args))


def _reaching(rows: Any, longest: int | None) -> int:
    """How many tokenized rows are as long as they may be; TRL cuts longer ones and says nothing."""
    return 0 if longest is None else sum(len(ids) >= longest for ids in rows["input_ids"])
