"""One model for every τ from a policy of one τ, without verdicts: its log-odds of speaking are shifted.

At the optimum of decision training the log-odds of speaking are Δ = (logit p − logit τ) / β, so their dependence on τ
is known. From a policy trained at ½ the model learns to hear the τ in its prompt by

    (βΔ(x, τ) − βΔ_start(x) − (logit ½ − logit τ))²

with Δ_start of the frozen start under the same prompt, which ignores the number in it; and by the two terms of decision
training that keep the rest in place. What a decision is worth is read nowhere.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import Any

import torch
from trl.trainer.utils import add_fused_lm_head

from rlhalt.chat.threshold_prompt import stated
from rlhalt.files.provenance import Run
from rlhalt.records import Decision, Json, read
from rlhalt.training.decision_trees.loss import sums
from rlhalt.training.decision_trees.trainer import DecisionConfig, DecisionTrainer
from rlhalt.training.decision_trees.trees import trees
from rlhalt.training.prefix_sharing.attention import over_trees
from rlhalt.training.token_alignment import Prompts


class ShiftedTrainer(DecisionTrainer):
    """Trains on rows whose `worth` is the shift logit ½ − logit τ."""

    def __init__(self, model: Any, *args: Any) -> None:
        self._start = copy.deepcopy(model).requires_grad_(False)
        add_fused_lm_head(self._start)
        super().__init__(model, *args)

    def compute_loss(
        self, model: Any, inputs: Json, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """The loss of a batch; the frozen start reads the same trees."""
        beta = self.args.beta
        now = self._sums(model, inputs)
        with torch.no_grad():
            before = self._sums(self._start, inputs)
        shift_D = inputs["worth"]
        away: torch.Tensor = (beta * (now.odds - before.odds) - shift_D).square().mean()
        decisions, _, words = (inputs["responses"] * one for one in self._per_response)
        self._note(away=away)
        return away + self.args.hold * now.held / decisions + self.args.anchor * now.anchored / words

    def _sums(self, model: Any, inputs: Json) -> Any:
        trees_of = {name: one for name, one in inputs.items() if name.startswith("tree_")}
        found = over_trees(model, self.model.config, **trees_of, fused_lm_head=True, use_cache=False).log_probs
        return sums(found.flatten(), inputs["ways"], inputs["worth"], inputs["said"], self.args.beta)


def train_shifted(decisions: Path, start: Path, folder: Path, keys: Json) -> Path:
    """Train; what is there is not made again. Returns the folder.

    Args:
        decisions: a file whose prompts state a τ each.
        start: the policy trained at ½.
        keys: of `DecisionConfig`.
    """
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = Run("known-probabilities-shifted", folder, inputs=[start / "model.safetensors", decisions], config=keys)
    if not run.finished:
        with run:
            tokenizer = AutoTokenizer.from_pretrained(start)
            rows = list(read(decisions, Decision))
            made, _ = trees(Prompts(tokenizer, None), [_shifted(one) for one in rows], keys["max_length"])
            args = DecisionConfig(output_dir=str(folder), **keys)
            model = AutoModelForCausalLM.from_pretrained(start)
            trainer = ShiftedTrainer(model, args, Dataset.from_list(made), tokenizer, None)
            trainer.train()
            trainer.save_model(str(folder))
            run.result(log=trainer.state.log_history)
    return folder


def _shifted(one: Decision) -> Decision:
    at = stated(one.prompt)
    assert at is not None
    return dataclasses.replace(one, worth=math.log(1 - at) - math.log(at))
