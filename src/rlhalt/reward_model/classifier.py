"""A token classifier: a LoRA backbone of any causal model with two logits a token, trained by transformers' Trainer.

TRL had a PRMTrainer with a data set of steps for this; TRL 1.16 has none any more. Its loss was the cross-entropy of a
token classification, which is `AutoModelForTokenClassification` here. Its place for a label, a separator token behind
each step, is no token of a response: here the last token of the fragment has it (`rlhalt.reward_model.labels`).
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhalt.errors import InputError
from rlhalt.models.names import whole_model
from rlhalt.models.precision import inference_dtype
from rlhalt.reward_model.hidden_states import padded, tracked
from rlhalt.reward_model.labels import Reading
from rlhalt.reward_model.probe import Floats

RANK = 16
# What transformers calls the layer of the logits.
_HEADS = ("score", "classifier")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How a classifier is trained.

    Attributes:
        epochs: passes over the responses.
        learning_rate: the highest one; it falls in a straight line.
        batch_size: responses in a step.
    """

    epochs: float = 3.0
    learning_rate: float = 5e-4
    batch_size: int = 8


def train_classifier(
    model: Any,
    tokenizer: Any,
    readings: Sequence[Reading],
    labels: Sequence[Sequence[int | None]],
    schedule: Schedule,
    seed: int,
) -> tuple[Any, list[dict[str, Any]]]:
    """Train a LoRA adapter and the two logits; the weights of the model itself stay as they are.

    Args:
        model, tokenizer: see `base`.
        readings, labels: responses, and one label a fragment (`rlhalt.reward_model.labels.fragment_labels`).
        seed: of the first weights and of the order.

    Returns:
        The trained model and the log of the Trainer.
    """
    import torch
    from datasets import Dataset
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import DataCollatorForTokenClassification, PrinterCallback, Trainer, TrainingArguments

    model = get_peft_model(
        model,
        LoraConfig(
            task_type=TaskType.TOKEN_CLS,
            r=RANK,
            lora_alpha=2 * RANK,
            target_modules="all-linear",
            # The new logits are trained whole.
            exclude_modules=list(_HEADS),
        ),
    )
    rows = [
        {"input_ids": one.ids, "attention_mask": [1] * len(one.ids), "labels": one.token_labels(its)}
        for one, its in zip(readings, labels, strict=True)
        if any(label is not None and place >= 0 for label, place in zip(its, one.places, strict=True))
    ]
    with tempfile.TemporaryDirectory() as scratch:
        args = TrainingArguments(
            output_dir=scratch,
            num_train_epochs=schedule.epochs,
            learning_rate=schedule.learning_rate,
            per_device_train_batch_size=schedule.batch_size,
            seed=seed,
            save_strategy="no",
            report_to="none",
            logging_steps=10,
            use_cpu=not torch.cuda.is_available(),
            bf16=inference_dtype() == torch.bfloat16,
            disable_tqdm=not sys.stderr.isatty(),
        )
        trainer = Trainer(
            model=model,
            args=args,
            train_dataset=Dataset.from_list(rows),
            data_collator=DataCollatorForTokenClassification(tokenizer),
        )
        # The log is in run.json; standard output is for the table.
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model.eval(), trainer.state.log_history


def base(name: str) -> tuple[Any, Any]:
    """A causal model as a token classifier, and its tokenizer; its two logits are drawn at random.

    Raises:
        InputError: an adapter, or a model that transformers has no token classifier for.
    """
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer
    from transformers.utils import logging

    from rlhalt.chat.plain import give_template
    from rlhalt.chat.templates import prepare

    folder, adapter = whole_model(name)
    if adapter is not None:
        raise InputError(
            "expected a whole model for a classifier, which gets an adapter of its own, found an adapter; merge it: "
            f"rlhalt merge --model {name} --output FOLDER",
            field="--model",
        )
    logging.disable_progress_bar()
    # That the two logits are new is what is wanted here.
    logging.set_verbosity_error()
    print(f"loading {name} …", file=sys.stderr, flush=True)
    try:
        model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32)
    except ValueError as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(f"expected a model with a token classifier in transformers: {told}", field="--model") from None
    tokenizer = give_template(AutoTokenizer.from_pretrained(folder))
    prepare(tokenizer, _generation(folder, model))
    return model, tokenizer


def _generation(folder: str, model: Any) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(folder)
    except OSError:
        return GenerationConfig.from_model_config(model.config)


def load_classifier(folder: Path, name: str) -> tuple[Any, Any]:
    """A trained classifier and its tokenizer.

    Args:
        folder: with the adapter.
        name: the model that it was trained on.
    """
    import torch
    from peft import PeftModel

    model, tokenizer = base(name)
    model = PeftModel.from_pretrained(model, folder)
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def classifier_scores(model: Any) -> Any:
    """What a classifier says of responses, as `rlhalt.reward_model.reader.Scores`."""
    import torch

    def scores(readings: Sequence[Reading]) -> list[Floats]:
        found = [np.full(len(one.spans), np.nan) for one in readings]
        with torch.no_grad():
            for batch in tracked(readings, "reward model"):
                logits_B_T_2 = model(**padded([readings[index].ids for index in batch], model.device)).logits.float()
                odds_B_T = (logits_B_T_2[..., 1] - logits_B_T_2[..., 0]).cpu().numpy().astype(np.float64)
                for row, index in enumerate(batch):
                    for fragment, place in enumerate(readings[index].places):
                        if place >= 0:
                            found[index][fragment] = odds_B_T[row, place]
        return found

    return scores
