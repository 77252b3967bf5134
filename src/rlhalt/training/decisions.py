"""Decision training: speak iff right with probability τ or more; see `rlhalt.training.decision_trees`.

accelerate launch scripts/train_decisions.py --config configs/decisions/135m.yaml
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from rlhalt.contamination import prompts_seen
from rlhalt.errors import InputError
from rlhalt.models.trained_threshold import thresholds_of
from rlhalt.records import Decision, read
from rlhalt.training import training_run
from rlhalt.training.decision_trees.trees import trees
from rlhalt.training.template import Templated
from rlhalt.training.token_alignment import Prompts, reasons


@dataclasses.dataclass
class DecisionData(Templated):
    """What to train on.

    Attributes:
        train_file: decisions, JSON lines of `rlhalt.records.Decision`; those of a response stand together.
    """

    train_file: str = dataclasses.field(metadata={"help": "Decisions: JSON lines that `rlhalt decisions` wrote."})


def main(argv: Sequence[str]) -> None:
    """Train; the model (or its LoRA adapter), the tokenizer and run.json go to `output_dir`."""
    from trl import ModelConfig

    from rlhalt.training.decision_trees.trainer import DecisionConfig, DecisionTrainer
    from rlhalt.training.setup import fit, load_trainable, parse

    data, args, model_args = parse((DecisionData, DecisionConfig, ModelConfig), argv)
    rows = list(read(data.train_file, Decision))
    if not rows:
        raise InputError("expected decisions to train on, found none", path=data.train_file)
    with training_run("decisions", argv, data.train_file, args.output_dir, model_args.model_name_or_path) as run:
        from datasets import Dataset

        model, tokenizer, peft_config = load_trainable(model_args, data.base_template)
        made, refused = trees(Prompts(tokenizer, data.chat_template_kwargs), rows, args.max_length)
        run.result(
            prompts=prompts_seen(rows),
            thresholds=thresholds_of(rows),
            not_aligned=[dataclasses.asdict(one) for one in refused],
        )
        if refused:
            print(f"{len(refused)} of {len(rows)} decisions are not trained on: {reasons(refused)}", file=sys.stderr)
        if not made:
            raise InputError("expected decisions to train on, found none", path=data.train_file)
        trainer = DecisionTrainer(model, args, Dataset.from_list(made), tokenizer, peft_config)
        fit(trainer, run, (data, args, model_args))
