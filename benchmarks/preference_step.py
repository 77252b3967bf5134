"""Preference training with shared prefixes beside stock TRL: decisions a second, peak memory.

    python benchmarks/preference_step.py runs/unsure/base/scored.jsonl

The model's own scored answers to the countries task become `unsure` pairs, each a decision, or the same decisions
response by response. All steps are whole ones: forward, backward, AdamW; LoRA of rank 16 on all linear layers, bfloat16
autocast, reference values computed beforehand. The ways take turns in one process, and the median of the steps counts.
A rate is by the clock, and by the CPU seconds of the process, which other work on the machine touches less.

    stock        TRL's DPOTrainer as it is
    completions  the same, projecting completions alone onto the vocabulary, as rlhalt's training does on a CPU
    shared       `rlhalt.training.prefix_sharing`: the same loss, what both sides share computed once
    decisions    `rlhalt.training.decisions`: every decision of a response in one pass, without a reference

Peak memory is that of a process of its own for each way, which takes two steps.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

from rlhalt.embedded import SMOLLM2
from rlhalt.models.names import resolve_model
from rlhalt.records import Json, Pair, Scored, read
from rlhalt.training.decision_trees.trainer import DecisionConfig, DecisionTrainer
from rlhalt.training.decision_trees.trees import trees
from rlhalt.training.dpo import draw
from rlhalt.training.prefix_sharing.trainer import SharedDPOTrainer
from rlhalt.training.setup import scoring_only_completions
from rlhalt.training.token_alignment import Prompts, align
from rlhalt.training_data import pairs
from rlhalt.training_data.decisions import decisions

THRESHOLD = 0.5
WAYS = ("stock", "completions", "shared", "decisions")


def main() -> None:
    """Measure; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scored", help="JSON lines of scored responses")
    parser.add_argument("--model", default=SMOLLM2)
    parser.add_argument("--steps", type=int, default=12, help="measured steps of each way")
    parser.add_argument("--batch", type=int, default=8, help="pairs or responses a step")
    parser.add_argument("--memory-of", metavar="WAY", help=argparse.SUPPRESS)
    args = parser.parse_args()
    rows = list(read(args.scored, Scored))
    np.random.default_rng(0).shuffle(rows)  # type: ignore[arg-type]
    tokenizer = AutoTokenizer.from_pretrained(resolve_model(args.model))
    if args.memory_of:
        step = Step(args.memory_of, args.model, tokenizer, rows)
        for batch in _batches(tokenizer, rows, args.memory_of, args.batch, 2):
            step(batch)
        print(_peak_mib())
        return
    steps = {way: Step(way, args.model, tokenizer, rows) for way in WAYS}
    found: Json = {"device": steps["stock"].device, "threads": torch.get_num_threads(), "batch": args.batch}
    load = os.getloadavg()[0]
    found.update(_measure(steps, tokenizer, rows, args.batch, args.steps))
    found["load"] = [round(load, 1), round(os.getloadavg()[0], 1)]
    for rate in ("rate", "rate by CPU"):
        found[f"ratio of the {rate}"] = {
            f"{ours} to {way}": round(found[ours][rate] / found[way][rate], 2) for ours in WAYS[2:] for way in WAYS[:2]
        }
    del steps
    found["peak MiB"] = {way: _memory(args, way) for way in WAYS}
    print(json.dumps(found, indent=1))


class Step:
    """Whole training steps of one way."""

    def __init__(self, way: str, model: str, tokenizer: Any, rows: Sequence[Scored]) -> None:
        from datasets import Dataset

        made = AutoModelForCausalLM.from_pretrained(
            resolve_model(model), dtype=torch.float32, attn_implementation="sdpa"
        )
        lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        keys: Json = {
            "output_dir": tempfile.mkdtemp(),
            "use_cpu": not torch.cuda.is_available(),
            "bf16": True,
            "gradient_checkpointing": False,
            "report_to": "none",
            "max_length": 256,
        }
        if way == "decisions":
            self.trainer = DecisionTrainer(made, DecisionConfig(**keys), _trees(tokenizer, rows), tokenizer, lora)
        else:
            kind: Callable[..., Any] = SharedDPOTrainer if way == "shared" else DPOTrainer
            self.trainer = kind(
                model=made,
                args=DPOConfig(**keys),
                train_dataset=Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}]),
                processing_class=tokenizer,
                peft_config=lora,
            )
        self.way = way
        self.device = self.trainer.accelerator.device.type
        self._model = self.trainer.accelerator.prepare(self.trainer.model)
        trained = [one for one in self._model.parameters() if one.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=1e-4)

    def batch(self, examples: Sequence[Json]) -> dict[str, Any]:
        """A batch on the device, as with reference values computed beforehand."""
        batch = self.trainer._prepare_inputs(self.trainer.data_collator(list(examples)))
        if self.way == "decisions":
            return batch  # type: ignore[no-any-return]
        # What they are matters to no step's time.
        reference = torch.zeros(len(batch["completion_mask"]) // 2, device=self.trainer.accelerator.device)
        return {**batch, "ref_chosen_logps": reference, "ref_rejected_logps": reference}

    def __call__(self, examples: Sequence[Json]) -> tuple[float, float]:
        """Train on a batch; seconds by the clock and of CPU. Reference values and collation are not in them."""
        batch = self.batch(examples)
        if self.way != "decisions":
            self.trainer.precompute_ref_logps = True
        self._model.train()
        self._wait()
        began, used = time.perf_counter(), time.process_time()
        with scoring_only_completions() if self.way == "completions" else contextlib.nullcontext():
            self.trainer.compute_loss(self._model, batch).backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._wait()
        return time.perf_counter() - began, time.process_time() - used

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def _measure(steps: dict[str, Step], tokenizer: Any, rows: Sequence[Scored], size: int, count: int) -> Json:
    batches = {way: _batches(tokenizer, rows, way, size, count + 1) for way in WAYS}
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for number in range(count + 1):
        for way in WAYS:
            taken[way].append(steps[way](batches[way][number]))
        print({way: [round(one, 2) for one in taken[way][-1]] for way in WAYS}, file=sys.stderr, flush=True)
    found: Json = {}
    for way in WAYS:
        # The first step warms up.
        decided = [sum(len(one.get("decisions", [1])) for one in batch) for batch in batches[way][1:]]
        rates = [n / seconds for n, (seconds, _) in zip(decided, taken[way][1:], strict=True)]
        masks = [steps[way].trainer.data_collator(batch)["attention_mask"] for batch in batches[way][1:]]
        found[way] = {
            "rate": round(median(rates), 3),
            "slowest, fastest": [round(min(rates), 3), round(max(rates), 3)],
            "rate by CPU": round(median(n / cpu for n, (_, cpu) in zip(decided, taken[way][1:], strict=True)), 3),
            "decisions a step": round(sum(decided) / count, 1),
            "tokens a decision": round(sum(int(mask.sum()) for mask in masks) / sum(decided), 1),
            "padded": round(sum(mask.numel() for mask in masks) / sum(decided), 1),
        }
    return found


def _batches(tokenizer: Any, rows: Sequence[Scored], way: str, size: int, count: int) -> list[list[Json]]:
    """`count` batches of pairs, or of responses with all their decisions."""
    if way == "decisions":
        examples = list(_trees(tokenizer, rows))
    else:
        aligned, _ = align(tokenizer, pairs(rows, THRESHOLD, "unsure"))
        drawn = draw([one.weight for one in aligned], size * count, seed=0)
        examples = [_tokenised(tokenizer, aligned[index]) for index in drawn]
    return [examples[size * number : size * (number + 1)] for number in range(count)]


def _trees(tokenizer: Any, rows: Sequence[Scored]) -> Any:
    from datasets import Dataset

    return Dataset.from_list(trees(Prompts(tokenizer), decisions(rows, THRESHOLD, "unsure"))[0])


def _tokenised(tokenizer: Any, pair: Pair) -> Json:
    prompt = tokenizer.apply_chat_template(pair.prompt, add_generation_prompt=True)["input_ids"]
    chosen, rejected = (
        tokenizer.apply_chat_template([*pair.prompt, *answer])["input_ids"][len(prompt) :]
        for answer in (pair.chosen, pair.rejected)
    )
    return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}


def _memory(args: argparse.Namespace, way: str) -> int:
    command = [sys.executable, __file__, args.scored, "--model", args.model, "--batch", str(args.batch)]
    done = subprocess.run([*command, "--memory-of", way], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def _peak_mib() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    # Not ru_maxrss: a process inherits that from the one that starts it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


if __name__ == "__main__":
    main()
