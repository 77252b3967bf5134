"""transformers' Trainer on decisions; see `rlhalt.training.decisions` for the loss."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import Any

import torch
from transformers import Trainer, TrainingArguments
from trl.trainer.utils import add_fused_lm_head

from rlhalt.errors import InputError
from rlhalt.training.decision_trees.collator import DecisionCollator
from rlhalt.training.decision_trees.loss import sums
from rlhalt.training.prefix_sharing.attention import check_trees, over_trees

FALLBACK = "train on pairs with TRL's own DPOTrainer (rlhalt train dpo, shared: false)"


@dataclasses.dataclass
class DecisionConfig(TrainingArguments):  # type: ignore[misc]
    """transformers' TrainingArguments, and the weights of the loss.

    Attributes:
        beta: how soft a decision is: log-odds are (logit p - logit τ) / β at the optimum.
        anchor: weight of what keeps the words of fragments as they are.
        hold: weight of what keeps the answer to the ways that are decided between.
        max_length: tokens of prompt and answer up to which decisions are taken.
    """

    beta: float = dataclasses.field(default=0.2, metadata={"help": "Softness: log-odds (logit p - logit tau) / beta."})
    anchor: float = dataclasses.field(default=1.0, metadata={"help": "Weight on the words of fragments staying."})
    hold: float = dataclasses.field(default=0.1, metadata={"help": "Weight on one of the ways being taken."})
    max_length: int = dataclasses.field(default=1024, metadata={"help": "Tokens up to which decisions are taken."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta > 0:
            raise InputError(f"expected a softness above 0, found {self.beta}", field="beta")
        # The columns are not the arguments of a model.
        self.remove_unused_columns = False


class DecisionTrainer(Trainer):  # type: ignore[misc]
    """Trains on rows of `rlhalt.training.decision_trees.trees`.

    Raises:
        InputError: a model whose attention cannot take a tree, also where only its first batch shows it.
    """

    _checked = False

    def __init__(self, model: Any, args: DecisionConfig, train_dataset: Any, processing_class: Any, peft_config: Any):
        add_fused_lm_head(model.get_base_model() if hasattr(model, "get_base_model") else model)
        if peft_config is not None:
            from peft import get_peft_model
            from transformers import set_seed

            # The adapter's first weights are drawn here, before the trainer would set it.
            set_seed(args.seed)
            model = get_peft_model(model, peft_config)
        self._per_response = _means(train_dataset)
        self._metrics: dict[str, list[float]] = defaultdict(list)
        collator = DecisionCollator(model.config.get_text_config().hidden_size)
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_dataset,
            processing_class=processing_class,
            data_collator=collator,
        )
        # The loss is a mean over a batch: what is accumulated is to be divided by the number of batches.
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch."""
        trees = {name: one for name, one in inputs.items() if name.startswith("tree_")}
        self._check(model, trees, inputs["ways"])
        config = self.model.config
        found = over_trees(model, config, **trees, fused_lm_head=True, use_cache=False).log_probs
        total = sums(found.flatten(), inputs["ways"], inputs["worth"], inputs["said"], self.args.beta)
        responses = inputs["responses"]
        decisions, worth, words = (responses * one for one in self._per_response)
        decided, held, anchored = total.decided / worth, total.held / decisions, total.anchored / words
        right = ((total.odds > 0) == (inputs["worth"] > 0)).float() * inputs["worth"].abs()
        self._note(
            decided=decided,
            held=held,
            anchored=anchored,
            agreed=right.sum() / inputs["worth"].abs().sum().clamp(min=1e-9),
        )
        return decided + self.args.hold * held + self.args.anchor * anchored

    def _check(self, model: Any, trees: dict[str, torch.Tensor], ways: torch.Tensor) -> None:
        if self._checked:
            return
        self._checked = True
        if getattr(self.model.config.get_text_config(), "output_router_logits", False):
            raise InputError(f"expected no auxiliary loss of experts, which counts whole rows; {FALLBACK}")
        # As many calls on every process: with ZeRO-3 they wait for each other.
        leaves = [int(ways[number, way].max()) for number in (0, -1) for way in (0, 1)]
        check_trees(model, self.model.config, self.accelerator.mixed_precision, trees, leaves, FALLBACK)

    def _note(self, **values: torch.Tensor) -> None:
        for name, value in values.items():
            self._metrics[name].append(self.accelerator.gather(value.detach()).mean().item())

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log the parts of the loss beside it, as means since the last time."""
        means = {name: sum(found) / len(found) for name, found in self._metrics.items()}
        self._metrics.clear()
        super().log({**logs, **means}, *args, **kwargs)


def _means(dataset: Any) -> tuple[float, float, float]:
    """Decisions, worth and words of a response, on average."""
    decisions = worth = words = 0.0
    for row in dataset:
        for one in row["decisions"]:
            decisions += 1
            worth += abs(one["worth"])
            words += len(row["sequences"][one["ways"][0]]) - one["parted"][0]
    return decisions / len(dataset), worth / len(dataset), max(words / len(dataset), 1e-9)
