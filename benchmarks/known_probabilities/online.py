"""Online training in a world: the policy answers, the world's own scorer judges, and credit is given at τ."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.known_probabilities.world import World

from rlhalt.files.provenance import Run
from rlhalt.models.precision import cpu_computes_bfloat16
from rlhalt.records import HALT_PHRASE, Json, Message, Scored, Target, read, write_atomic
from rlhalt.scoring import Scorer
from rlhalt.training.fragment_grpo.advantages import Credit, Pay
from rlhalt.training.fragment_grpo.reward import FragmentReward
from rlhalt.training.fragment_grpo.tokens import Credited

ROLLOUTS = "rollouts.jsonl"


@dataclasses.dataclass(frozen=True)
class Rollouts:
    """How a policy is trained online.

    Attributes:
        steps: of training.
        credit, credited: of `FragmentGRPOTrainer`.
        prompts, group: questions a step, or all of a world that has fewer; and answers to each.
        learning_rate: at its peak; a cosine takes it to 0.
        clip: how far the ratio of the loss may be from 1; read offline alone, online it is 1.
    """

    steps: int
    credit: Credit
    credited: Credited
    prompts: int = 32
    group: int = 8
    learning_rate: float = 3e-4
    clip: float = 0.2


def train_online(world: World, start: Path, folder: Path, pay: Pay, rollouts: Rollouts, stock: bool = False) -> Path:
    """Train a policy further; what is there is not made again. Returns its folder.

    Args:
        start: the policy to begin with.
        stock: by TRL's own `GRPOTrainer`, one reward a response, with its defaults: advantages over the standard
            deviation of the group, no price for cut-off answers.
    """
    settings = (("world", world), ("pay", pay), ("rollouts", rollouts))
    config = {"stock": stock, **{name: dataclasses.asdict(its) for name, its in settings}}
    run = Run("known-probabilities-online", folder, inputs=[start / "model.safetensors"], config=config)
    if not run.finished:
        with run:
            trainer, reward = _trainer(world, start, folder, pay, rollouts, stock)
            trainer.train()
            trainer.save_model(str(folder))
            write_atomic(folder / ROLLOUTS, (json.dumps(one) + "\n" for one in reward.rollouts))
            run.result(reward=[one["reward"] for one in trainer.state.log_history if "reward" in one])
    return folder


def train_offline(
    world: World, start: Path, folder: Path, pay: Pay, rollouts: Rollouts, recorded: Sequence[Path]
) -> Path:
    """Train a policy on responses that were drawn before; what is there is not made again. Returns its folder.

    Args:
        start: the policy to begin with.
        recorded: files of scored responses to the training questions.
    """
    config = {name: dataclasses.asdict(its) for name, its in (("world", world), ("pay", pay), ("rollouts", rollouts))}
    run = Run("known-probabilities-offline", folder, inputs=[start / "model.safetensors", *recorded], config=config)
    if not run.finished:
        with run:
            trainer, _ = _trainer(world, start, folder, pay, rollouts, stock=False, recorded=recorded)
            trainer.train()
            trainer.save_model(str(folder))
            run.result(reward=[one["reward"] for one in trainer.state.log_history if "reward" in one])
    return folder


def better_half(folder: Path) -> Iterator[Target]:
    """The rollouts of an online training that earned more than the others to the same question, half of each group."""
    groups: dict[str, list[Json]] = {}
    for number, line in enumerate((folder / ROLLOUTS).read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        # The responses of a group come one after another.
        groups.setdefault(f"{number // row['group']}", []).append(row)
    for key, rows in groups.items():
        best = sorted(rows, key=lambda row: -math.inf if row["earned"] is None else row["earned"], reverse=True)
        for rank, row in enumerate(best[: len(best) // 2]):
            yield _target(f"{key}-{rank}", row["prompt"], row["completion"])


def as_targets(rows: Iterable[Scored]) -> Iterator[Target]:
    """Responses as they are, right or wrong."""
    return (_target(row.key, row.prompt, row.response) for row in rows)


def _target(key: str, prompt: list[Message], text: str) -> Target:
    # Who says nothing has halted; a completion cannot be empty.
    said: Message = {"role": "assistant", "content": text or HALT_PHRASE}
    return Target(key, prompt, [said], "own", key)


class _Recorded(FragmentReward):
    """Keeps every rollout that it judges, with what it earned."""

    def __init__(self, scorer: Scorer, pay: Pay, group: int) -> None:
        super().__init__(scorer, pay)
        self.rollouts: list[Json] = []
        self._group = group

    async def __call__(self, completions: Any, reference: Any, *, prompts: Any, **named: Any) -> list[float | None]:
        totals = await super().__call__(completions, reference, **named)
        for prompt, completion, earned in zip(prompts, completions, totals, strict=True):
            text = completion[-1]["content"]
            self.rollouts.append({"prompt": prompt, "completion": text, "earned": earned, "group": self._group})
        return totals


def _trainer(
    world: World,
    start: Path,
    folder: Path,
    pay: Pay,
    rollouts: Rollouts,
    stock: bool,
    recorded: Sequence[Path] = (),
) -> tuple[Any, _Recorded]:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    from rlhalt.training.fragment_grpo.trainer import FragmentGRPOTrainer

    rows = [{"prompt": one.prompt, "reference": json.dumps(one.reference)} for one in world.prompts(heldout=False)]
    ours = {"loss_type": "dr_grpo", "scale_rewards": "none"}
    args = GRPOConfig(
        output_dir=str(folder),
        max_steps=rollouts.steps,
        # A batch that is larger than an epoch would be dropped, and nothing trained.
        per_device_train_batch_size=min(rollouts.prompts, len(rows)) * rollouts.group,
        num_generations=rollouts.group,
        max_completion_length=40,
        temperature=1.0,
        learning_rate=rollouts.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=5,
        # Offline the reference is needed: the ratio of the loss is π / π_start.
        beta=1e-6 if recorded else 0.0,
        epsilon=rollouts.clip,
        disable_dropout=True,
        gradient_checkpointing=False,
        use_cpu=True,
        bf16=cpu_computes_bfloat16(),
        seed=world.seed,
        save_strategy="no",
        report_to="none",
        logging_steps=10,
        disable_tqdm=True,
        **({} if stock else ours),
    )
    named: dict[str, Any] = {
        "model": AutoModelForCausalLM.from_pretrained(start),
        "args": args,
        "train_dataset": Dataset.from_list(rows),
        "processing_class": AutoTokenizer.from_pretrained(start),
    }
    reward = _Recorded(world.scorer(), pay, rollouts.group)
    if stock:
        return GRPOTrainer(reward_funcs=reward, **named), reward
    if recorded:
        from benchmarks.replay import OfflineTrainer, Replay

        replay = Replay(named["processing_class"], (row for file in recorded for row in read(file, Scored)))
        credited = {"credit": rollouts.credit, "credited": rollouts.credited}
        return OfflineTrainer(reward=reward, rollout_func=replay, **credited, **named), reward
    return FragmentGRPOTrainer(reward=reward, credit=rollouts.credit, credited=rollouts.credited, **named), reward
