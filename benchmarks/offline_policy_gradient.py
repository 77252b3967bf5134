"""Policy gradients on responses that were drawn once, beside the online training that draws them at each step.

    rlhalt run online                                                          # SFT, DPO and GRPO at τ = 0.5
    python benchmarks/offline_policy_gradient.py runs/online --output runs/offline
    rlhalt evaluate --model runs/offline/policy --prompts heldout.jsonl --name offline --threshold 0.5 \\
        --base smollm2-135m-instruct --samples 1 --output runs/online/evaluation/offline
    rlhalt compare runs/online/evaluation/* --output runs/offline/report

Two SFT models, each trained on the targets of one half of the training prompts, answer the other half: a model's
responses to prompts that it was trained on are right more often than those to others. The recipe's verifier judges
them, and the trainer of `rlhalt train grpo` is given these responses in place of its own. Everything else is the
recipe's configuration of online training: prices, advantages, KL penalty. The ratio of the loss is π / π_start, clipped
(`--clip`), since one response is trained on long after it was drawn.

Prints JSON: the seconds of each part, by the clock and of the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets import Dataset
from replay import OfflineTrainer, Replay
from trl import GRPOConfig, ModelConfig

from rlhalt.domains import load_domain
from rlhalt.recipes.training import trained
from rlhalt.records import Prompt, Response, Target, content_key, read, write
from rlhalt.sampling import Settings, sample
from rlhalt.training import training_run
from rlhalt.training.fragment_grpo.reward import FragmentReward
from rlhalt.training.grpo import GrpoData
from rlhalt.training.setup import fit, load_trainable, parse
from rlhalt.training.template import rows_as_sampled

HALVES = (0, 1)


def main() -> None:
    """Make the halves' models, draw their responses, train on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of `rlhalt run online`")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="the policy to begin with (default: the SFT model of the run)")
    parser.add_argument("--targets", type=Path, help="of SFT (default: those of the run)")
    parser.add_argument("--sft", default="configs/sft/135m.yaml", help="configuration of the halves' models")
    parser.add_argument("--grpo", default="configs/grpo/countries.yaml", help="configuration of online training")
    parser.add_argument("--responses", type=int, default=4, help="to each prompt, at temperature 1")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--clip", type=float, nargs=2, default=(0.2, 0.2), help="the ratio's distance from 1")
    parser.add_argument("--credited", choices=("fragment", "opening"), default="fragment")
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--policy", default="policy", help="the name of the trained model's folder")
    options = parser.parse_args()
    taken: dict[str, list[float]] = {}
    start = options.start or options.run / "seed0" / "sft"
    prompts = [one for one in read(options.run / "prompts.jsonl", Prompt) if one.split == "train"]
    targets = options.targets or options.run / "base" / "targets.jsonl"
    with timed("SFT of the halves", taken):
        models = [half_trained(options, targets, prompts, half) for half in HALVES]
    with timed("responses", taken):
        recorded = [row for half in HALVES for row in drawn(options, models[half], prompts[1 - half :: 2], half)]
    with timed("training", taken):
        train(options, start, prompts, recorded)
    print(json.dumps({"seconds by the clock, of the CPU": taken}, indent=1))


@contextlib.contextmanager
def timed(part: str, taken: dict[str, list[float]]) -> Iterator[None]:
    """Keep the seconds that a part took: by the clock, of the CPU."""
    began, used = time.perf_counter(), time.process_time()
    yield
    taken[part] = [round(time.perf_counter() - began, 1), round(time.process_time() - used, 1)]


def half_trained(options: argparse.Namespace, targets: Path, prompts: Sequence[Prompt], half: int) -> str:
    """The folder of an SFT model trained on the targets of one half of the prompts."""
    asked = {content_key(one.prompt) for one in prompts[half::2]}
    file = options.output / f"targets-{half}.jsonl"
    write(file, (row for row in read(targets, Target) if content_key(row.prompt) in asked))
    return trained("sft", options.sft, file, options.output / f"sft-{half}", 0, "smollm2-135m-instruct")


def drawn(options: argparse.Namespace, model: str, prompts: Sequence[Prompt], half: int) -> Iterator[Response]:
    """Responses of the model of one half to the prompts of the other."""
    settings = Settings(model, responses=options.responses, temperature=1.0, max_tokens=80)
    yield from sample(prompts, settings, options.output / f"responses-{half}.jsonl")


def train(options: argparse.Namespace, start: Path, prompts: Sequence[Prompt], recorded: Sequence[Response]) -> None:
    """Train on the recorded responses; writes the adapter."""
    folder, file = options.output / options.policy, options.output / "prompts.jsonl"
    write(file, prompts)
    low, high = options.clip
    argv = ["--config", options.grpo, "--train_file", str(file), "--output_dir", str(folder)]
    argv += ["--model_name_or_path", str(start), "--num_generations", str(options.responses)]
    argv += ["--max_steps", "-1", "--num_train_epochs", str(options.epochs), "--save_strategy", "no"]
    argv += ["--epsilon", str(low), "--epsilon_high", str(high), "--credited", options.credited]
    argv += ["--per_device_train_batch_size", "8", "--gradient_accumulation_steps", "2"]
    argv += ["--learning_rate", str(options.learning_rate)]
    data, args, model_args = parse((GrpoData, GRPOConfig, ModelConfig), argv)
    domain = load_domain(data.domain)
    pay = data.pay(domain)
    with training_run("grpo", argv, file, folder, str(start)) as run:
        run.result(thresholds=[pay.threshold])
        model, tokenizer, peft_config = load_trainable(model_args, data.base_template)
        with rows_as_sampled(tokenizer) as template:
            trainer = OfflineTrainer(
                model,
                FragmentReward(domain.scorer(None), pay, template.opening),
                args,
                credit=data.credit,
                credited=data.credited,
                rollout_func=Replay(tokenizer, recorded),
                train_dataset=Dataset.from_list(
                    [{"prompt": row.prompt, "reference": json.dumps(row.reference)} for row in prompts]
                ),
                processing_class=tokenizer,
                peft_config=peft_config,
            )
        trainer.chat_template = template.source
        fit(trainer, run, (data, args, model_args))


if __name__ == "__main__":
    main()
