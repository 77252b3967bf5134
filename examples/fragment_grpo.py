"""GRPO in which each fragment has an advantage of its own, for two steps. Takes less than a minute on a CPU.

python examples/fragment_grpo.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from datasets import Dataset
from tiny_model import PROMPTS, load, tiny_model
from trl import GRPOConfig

from rlhalt import FragmentGRPOTrainer, FragmentReward, load_domain
from rlhalt.training.fragment_grpo.advantages import Pay


def main(folder: Path) -> None:
    """Train for two steps: the model answers, the verifier judges, each fragment's tokens get what it earned."""
    domain = load_domain(Path(__file__).parent / "days")
    # The same scorer makes pairs and evaluates. `Pay` turns its verdicts into numbers: 1 - τ, -τ or 0.
    reward = FragmentReward(domain.scorer(), Pay(threshold=0.5, halting=domain.halting))
    rows = [
        # References as JSON, because the rows of a Dataset must have the same keys, and references may differ.
        {"prompt": [{"role": "user", "content": row["prompt"]}], "reference": json.dumps(row["reference"])}
        for row in PROMPTS
    ]
    model, tokenizer = load(tiny_model(folder / "model"))
    trainer = FragmentGRPOTrainer(
        model,
        reward,
        GRPOConfig(
            str(folder / "grpo"),
            max_steps=2,
            per_device_train_batch_size=16,
            num_generations=8,
            max_completion_length=48,
            learning_rate=1e-4,
            # An advantage per token means what it says only with these four; the trainer refuses others.
            loss_type="dr_grpo",
            scale_rewards="none",
            mask_truncated_completions=False,
            disable_dropout=True,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to="none",
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    trainer.train()
    for step in trainer.state.log_history[:2]:
        print(
            f"step {step['step']}: reward {step['reward']:+.2f}, correct {step['fragments/correct']:.2f}, "
            f"incorrect {step['fragments/incorrect']:.2f} per response, gradient {step['grad_norm']:.3f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples"))
