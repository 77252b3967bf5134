"""Online training in a world: the policy answers, the world's own scorer judges, and credit is given at τ."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from benchmarks.known_probabilities.world import World

from rlhalt.provenance import Run
from rlhalt.training.fragment_grpo.advantages import Credit, Pay
from rlhalt.training.fragment_grpo.tokens import Credited


@dataclasses.dataclass(frozen=True)
class Rollouts:
    """How a policy is trained online.

    Attributes:
        steps: of training.
        credit, credited: of `FragmentGRPOTrainer`.
        prompts, group: questions a step, and answers to each.
        learning_rate: at its peak; a cosine takes it to 0.
    """

    steps: int
    credit: Credit
    credited: Credited
    prompts: int = 32
    group: int = 8
    learning_rate: float = 3e-4


def train_online(world: World, start: Path, folder: Path, pay: Pay, rollouts: Rollouts, stock: bool = False) -> Path:
    """Train a policy further; what is there is not made again. Returns its folder.

    Args:
        start: the policy to begin with.
        stock: by TRL's own `GRPOTrainer`, one reward a response, with its defaults: advantages over the standard
            deviation of the group, cut-off answers not masked.
    """
    config = {one: dataclasses.asdict(its) for one, its in (("world", world), ("pay", pay), ("rollouts", rollouts))}
    run = Run("known-odds-online", folder, inputs=[start / "model.safetensors"], config={**config, "stock": stock})
    if not run.finished:
        with run:
            trainer = _trainer(world, start, folder, pay, rollouts, stock)
            trainer.train()
            trainer.save_model(str(folder))
            run.result(reward=[one["reward"] for one in trainer.state.log_history if "reward" in one])
    return folder


def _trainer(world: World, start: Path, folder: Path, pay: Pay, rollouts: Rollouts, stock: bool) -> Any:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    from rlhalt.training.fragment_grpo.reward import FragmentReward
    from rlhalt.training.fragment_grpo.trainer import FragmentGRPOTrainer

    ours = {"loss_type": "dr_grpo", "scale_rewards": "none", "mask_truncated_completions": True}
    args = GRPOConfig(
        output_dir=str(folder),
        max_steps=rollouts.steps,
        per_device_train_batch_size=rollouts.prompts * rollouts.group,
        num_generations=rollouts.group,
        max_completion_length=40,
        temperature=1.0,
        learning_rate=rollouts.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=5,
        beta=0.0,
        disable_dropout=True,
        gradient_checkpointing=False,
        use_cpu=True,
        bf16=True,
        seed=world.seed,
        save_strategy="no",
        report_to="none",
        logging_steps=10,
        disable_tqdm=True,
        **({} if stock else ours),
    )
    rows = [{"prompt": one.prompt, "reference": json.dumps(one.reference)} for one in world.prompts(heldout=False)]
    named: dict[str, Any] = {
        "model": AutoModelForCausalLM.from_pretrained(start),
        "args": args,
        "train_dataset": Dataset.from_list(rows),
        "processing_class": AutoTokenizer.from_pretrained(start),
    }
    reward = FragmentReward(world.scorer(), pay)
    if stock:
        return GRPOTrainer(reward_funcs=reward, **named)
    return FragmentGRPOTrainer(reward=reward, credit=rollouts.credit, credited=rollouts.credited, **named)
