"""A step of online training beside stock TRL with a constant reward: seconds, where they go, memory.

    python benchmarks/grpo_step.py
    python benchmarks/grpo_step.py memory --steps 200

All steps are whole ones: generation, scoring, log-probabilities of the reference, forward, backward, AdamW; LoRA of
rank 16 on all linear layers, bfloat16 autocast, as in configs/grpo/countries.yaml. The learning rate is 0 and every way
has the seed of its step, so all ways generate the same tokens from the same weights and do the same work on them; that
they do is checked. The ways take turns in one process, and the median of the steps' ratios to stock counts: by the
clock, and by the CPU seconds of the process, which other work on the machine touches less.

    stock      TRL's GRPOTrainer, every response earns 1
    knowledge  fragment credit, scored by the knowledge base of the countries; `judging alone` is that scoring again
    judge      fragment credit, scored by a judge over HTTP that answers after 200 ms ± 50, a call a response
    late       the same, judged only when TRL asks for rewards, after the log-probabilities

`memory` trains on with one way, prompts in turn, and prints the process's own memory (RssAnon) as it goes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from scoring import judge_server
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from rlhalt.domains import load_domain
from rlhalt.embedded import SMOLLM2
from rlhalt.llm import Client, Limits, Server
from rlhalt.models import resolve_model
from rlhalt.records import Json, Prompt
from rlhalt.training.fragment_grpo.advantages import Pay
from rlhalt.training.fragment_grpo.reward import FragmentReward
from rlhalt.training.fragment_grpo.trainer import FragmentGRPOTrainer

WAYS = ("stock", "knowledge", "judge", "late")
# What is timed inside a step: the parts of TRL's trainer, and ours.
PARTS = {"generation": "_generate_single_turn", "scoring": "_calculate_rewards", "credit": "_token_advantages"}


def main() -> None:
    """Measure; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("step", "memory"), default="step")
    parser.add_argument("--model", default=SMOLLM2)
    parser.add_argument("--steps", type=int, default=12, help="measured steps of each way")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="with memory the first")
    parser.add_argument("--batch", type=int, default=16, help="responses a step, in groups of at most 8")
    parser.add_argument("--tokens", type=int, default=80, help="of a response, at most")
    args = parser.parse_args()
    with judge_server(seed=0) as (address, served):
        found = memory(args, address) if args.what == "memory" else steps(args, address)
    found["server"] = served
    print(json.dumps(found, indent=1))


class Step:
    """Whole training steps of one way; what each took is kept in `taken`, a mapping of parts to seconds."""

    def __init__(self, trainer: GRPOTrainer) -> None:
        self.trainer, self.taken = trainer, []
        self._parts: dict[str, float] = {}
        trainer.model_wrapped = self._model = trainer.accelerator.prepare(trainer.model)
        trainer.current_gradient_accumulation_steps = 1
        self._optimizer = torch.optim.AdamW([one for one in self._model.parameters() if one.requires_grad], lr=0.0)
        for part, name in PARTS.items():
            if hasattr(trainer, name):
                setattr(trainer, name, self._timed(part, getattr(trainer, name)))

    def _timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            began = time.perf_counter()
            found = work(*args, **named)
            self._parts[part] += time.perf_counter() - began
            return found

        return timed

    def __call__(self, rows: Sequence[Json], seed: int) -> int:
        """Train on the responses to these rows; how many tokens they had."""
        torch.manual_seed(seed)
        self._parts = dict.fromkeys(PARTS, 0.0)
        began, used = time.perf_counter(), time.process_time()
        self.trainer.training_step(self._model, list(rows), None)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._parts |= {"step": time.perf_counter() - began, "CPU": time.process_time() - used}
        self.taken.append({**self._parts, "judging alone": self._judging(rows)})
        return round(self.trainer._metrics["train"]["completions/mean_length"][-1] * len(rows))

    def _judging(self, rows: Sequence[Json]) -> float:
        """Seconds that the knowledge base takes for the same responses once more, while nothing else is done."""
        reward = getattr(self.trainer, "_reward", None)
        if reward is None or reward.scorer.workers > 1:
            return 0.0
        began = time.perf_counter()
        for one, completion in zip(rows, self.trainer._logs["completion"], strict=True):
            reward.judge(completion, one["reference"]).result()
        return time.perf_counter() - began


def steps(args: argparse.Namespace, address: str) -> Json:
    """Seconds a step of each way, the parts, and the ratios to stock."""
    load_before = os.getloadavg()[0]
    group = min(8, args.batch)
    prompts = load_domain("countries").prompts(split="train")
    tokens: list[int] = []
    with contextlib.ExitStack() as stack:
        made = {way: Step(stack.enter_context(trainer(way, args, address, max_steps=1))) for way in args.ways}
        # Interrupted, it prints what it has.
        with contextlib.suppress(KeyboardInterrupt):
            for number in range(args.steps + 1):
                asked = prompts[number * args.batch // group : (number + 1) * args.batch // group]
                rows = {way: [row(one, way) for one in asked for _ in range(group)] for way in made}
                said = {way: step(rows[way], number) for way, step in made.items()}
                if len(set(said.values())) > 1:
                    raise SystemExit(f"expected the same tokens in every way, found {said}")
                tokens.append(said[args.ways[0]])
                print({way: step.taken[-1] for way, step in made.items()}, tokens[-1], file=sys.stderr, flush=True)
    # The first step warms up.
    taken = {way: step.taken[1 : len(tokens)] for way, step in made.items()}
    found: Json = {"threads": torch.get_num_threads(), "responses a step": args.batch, "tokens": tokens[1:]}
    found["load"] = [round(load_before, 1), round(os.getloadavg()[0], 1)]
    for way, some in taken.items():
        parts = {name: median(one[name] for one in some) for name in some[0]}
        parts["rest"] = median(one["step"] - sum(one[part] for part in PARTS) for one in some)
        found[way] = {name: round(seconds, 4) for name, seconds in parts.items()}
        pairs = list(zip(some, taken[args.ways[0]], strict=True))
        for name in ("step", "CPU"):
            found[way][f"{name}, ratio"] = round(median(one[name] / first[name] for one, first in pairs), 3)
        found[way]["scoring and credit, of a step"] = round(
            median((one["scoring"] + one["credit"]) / one["step"] for one in some), 4
        )
    return found


def memory(args: argparse.Namespace, address: str) -> Json:
    """MiB of the process's own memory, four times on the way, the first after a quarter of the steps."""
    rows = [row(one, args.ways[0]) for one in load_domain("countries").prompts(split="train")]
    at: dict[int, int] = {}

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step % (state.max_steps // 4) == 0:
                at[state.global_step] = _own_mib()
                print(at, file=sys.stderr, flush=True)

    with trainer(args.ways[0], args, address, rows, max_steps=args.steps) as one:
        one.add_callback(Watch())
        one.train()
    return {"way": args.ways[0], "responses a step": args.batch, "RssAnon, MiB": at}


@contextlib.contextmanager
def trainer(
    way: str, args: argparse.Namespace, address: str, rows: Sequence[Json] = (), *, max_steps: int
) -> Iterator[GRPOTrainer]:
    """The trainer of a way; to train on `rows`, or to be given rows."""
    model = AutoModelForCausalLM.from_pretrained(resolve_model(args.model), dtype=torch.float32)
    shared: Json = {
        "args": GRPOConfig(
            output_dir=tempfile.mkdtemp(),
            use_cpu=not torch.cuda.is_available(),
            bf16=True,
            gradient_checkpointing=False,
            per_device_train_batch_size=args.batch,
            num_generations=min(8, args.batch),
            max_completion_length=args.tokens,
            beta=0.005,
            loss_type="dr_grpo",
            scale_rewards="none",
            disable_dropout=True,
            max_steps=max_steps,
            learning_rate=0.0 if max_steps == 1 else 1e-5,
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
        ),
        "train_dataset": Dataset.from_list(list(rows) or [{"prompt": "", "reference": "{}"}] * args.batch),
        "processing_class": AutoTokenizer.from_pretrained(resolve_model(args.model)),
        "peft_config": LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    }
    if way == "stock":
        yield GRPOTrainer(model, reward_funcs=constant, **shared)
        return
    with Client(Server(address, "judge"), Limits(concurrency=64)) as client:
        domain = load_domain("countries" if way == "knowledge" else "medicine")
        reward = FragmentReward(domain.scorer(client), Pay(0.5, domain.halting))
        yield (Late if way == "late" else FragmentGRPOTrainer)(model, reward, **shared)


class Late(FragmentGRPOTrainer):
    """Judges when TRL asks for the rewards."""

    def _begin_to_judge(self, row: Json, completion: Any) -> None:
        pass

    def _calculate_rewards(self, inputs: list[Json], prompts: Any, completions: Any, ids: Any) -> torch.Tensor:
        for one, completion in zip(inputs, completions, strict=True):
            one["judged"] = self._reward.judge(completion, one["reference"])
        rewards: torch.Tensor = super()._calculate_rewards(inputs, prompts, completions, ids)
        return rewards


def constant(completions: Sequence[Any], **_: Any) -> list[float]:
    """Nothing to tell apart."""
    return [1.0] * len(completions)


def row(prompt: Prompt, way: str) -> Json:
    """A row of a way's data; a judge of medicine is asked about countries all the same, as it answers by number."""
    reference = prompt.reference
    if way in ("judge", "late"):
        reference = {"question": prompt.prompt[-1]["content"], "explanation": "What the expert says of it."}
    return {"prompt": prompt.prompt, "reference": json.dumps(reference)}


def _own_mib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) >> 10


if __name__ == "__main__":
    main()
