"""Preference pairs of a model's own responses, for TRL's own DPOTrainer. Takes less than a minute on a CPU.

python examples/pairs_for_trl.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from datasets import load_dataset
from tiny_model import PROMPTS, load, tiny_model
from trl import DPOConfig, DPOTrainer

from rlhalt.cli import main as rlhalt

DOMAIN = Path(__file__).parent / "days"


def run(*line: object) -> None:
    """A command of `rlhalt`, as a shell would start it; here in this process, which has loaded torch already."""
    words = [str(one) for one in line]
    print("$ rlhalt", *words, flush=True)
    if code := rlhalt(words):
        sys.exit(code)


def main(folder: Path) -> None:
    """Sample, score, make pairs, train for two steps."""
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_model(folder / "model")
    rows, prompts, responses = (folder / f"{name}.jsonl" for name in ("rows", "prompts", "responses"))
    scored, pairs = folder / "scored.jsonl", folder / "pairs.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS), encoding="utf-8")

    run("prompts", "--domain", DOMAIN, "--file", rows, "--output", prompts)
    # Temperature 1: the pairs are to hold the model's errors as often as it makes them.
    run("sample", "--model", model, "--prompts", prompts, "--responses", 4, "--temperature", 1, "--max-tokens", 48,
        "--engine", "transformers", "--output", responses)  # fmt: skip
    run("score", "--domain", DOMAIN, "--responses", responses, "--output", scored)
    # TRL's DPOTrainer does not use the column `weight`. So the pairs are drawn by weight: a pair of weight 0.8 appears
    # four times as often as one of weight 0.2, and the expected loss is the weighted one.
    run("pairs", "--domain", DOMAIN, "--scored", scored, "--draws", 16, "--seed", 0, "--output", pairs)

    policy, tokenizer = load(model)
    trainer = DPOTrainer(
        policy,
        args=DPOConfig(
            str(folder / "dpo"),
            max_steps=2,
            per_device_train_batch_size=4,
            learning_rate=1e-4,
            max_length=128,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to="none",
        ),
        train_dataset=load_dataset("json", data_files=str(pairs), split="train", cache_dir=str(folder / "cache")),
        processing_class=tokenizer,
    )
    trainer.train()
    for step in trainer.state.log_history[:2]:
        print(f"step {step['step']}: loss {step['loss']:.3f}, gradient {step['grad_norm']:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples"))
