"""Online training: a policy answers, the scorer judges, and each fragment's tokens receive what it earned at τ.

    accelerate launch scripts/train_grpo.py --config configs/grpo/countries.yaml

The scorer is the one that made the pairs and that evaluates (`rlhalt.domains`); the trainer is TRL's, with the
advantages of `rlhalt.training.fragment_grpo.advantages`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import sys
from collections.abc import Sequence

from rlhalt.chat.templates import turn_ends
from rlhalt.chat.threshold_prompt import drawn_thresholds, stated, with_threshold
from rlhalt.contamination import prompts_seen
from rlhalt.domains import Domain, load_domain
from rlhalt.errors import InputError
from rlhalt.judge_arguments import JudgeArguments
from rlhalt.records import Message, Prompt, read
from rlhalt.rewards import check_threshold
from rlhalt.training import training_run
from rlhalt.training.checkpoints import Resumable
from rlhalt.training.fragment_grpo.advantages import CREDITS, Pay
from rlhalt.training.fragment_grpo.callbacks import Limits
from rlhalt.training.fragment_grpo.methods import REWARDS
from rlhalt.training.fragment_grpo.tokens import CREDITED
from rlhalt.training_data.table import check_name

NEVER_PAID = (
    "rlhalt: a reward model calls every fragment correct or incorrect, so the price of `unverifiable` is never paid; "
    "score the checkpoints with a verifier that knows the truth (docs/reward-model.md)"
)


@dataclasses.dataclass
class GrpoData(Resumable, JudgeArguments):
    """What to train on, and what is paid for what.

    Attributes:
        train_file: prompts with references, JSON lines of `rlhalt.records.Prompt`.
        domain: a domain under reward/, or a folder with domain.yaml.
        threshold: τ; the domain's own where None.
        draws: thresholds for each prompt, each stated in it, see `asked_at`: the model learns every τ. If None, it is
            trained at `threshold` alone.
        method: whose reward is paid: ours, `utility`, or that of another method, one for each response; see
            `rlhalt.training.fragment_grpo.methods`.
        credit, alpha: see `rlhalt.training.fragment_grpo.advantages.advantages`.
        credited: see `rlhalt.training.fragment_grpo.tokens.Credited`.
        unverifiable, repeated, unfinished: prices, see `rlhalt.training.fragment_grpo.advantages.Pay`.
        max_refused, max_drift, max_empty, patience: see `rlhalt.training.fragment_grpo.callbacks.Limits`.
        judge_address and the other settings of the judge: as of `rlhalt score`, see `JudgeArguments`.
        unsafe: run generated code although no sandbox works here.
    """

    train_file: str = dataclasses.field(metadata={"help": "Prompts: JSON lines with prompt and reference."})
    domain: str = dataclasses.field(metadata={"help": "A domain under reward/, or a folder with domain.yaml."})
    threshold: float | None = dataclasses.field(default=None, metadata={"help": "τ; the domain's own if not given."})
    draws: int | None = dataclasses.field(
        default=None, metadata={"help": "Thresholds for each prompt, stated in it, in place of one threshold."}
    )
    method: str = dataclasses.field(
        default="utility", metadata={"help": f"Whose reward is paid: {', '.join(REWARDS)}; see docs/methods.md."}
    )
    credit: str = dataclasses.field(
        default="fragment", metadata={"help": f"How rewards become advantages: {', '.join(CREDITS)}."}
    )
    alpha: float = dataclasses.field(
        default=1.0, metadata={"help": "With credit mixed: the weight of the fragment's own reward."}
    )
    credited: str = dataclasses.field(
        default="fragment", metadata={"help": f"Which tokens of a fragment get its advantage: {', '.join(CREDITED)}."}
    )
    unverifiable: float = dataclasses.field(
        default=0.0, metadata={"help": "Reward of a fragment that cannot be checked, ≤ 0."}
    )
    repeated: float = dataclasses.field(default=-0.5, metadata={"help": "Reward of a repeated fragment, ≤ 0."})
    unfinished: float = dataclasses.field(
        default=-1.0, metadata={"help": "Reward of a response that reaches the token limit."}
    )
    max_refused: float = dataclasses.field(
        default=0.98, metadata={"help": "Stop above this share of responses without a claim."}
    )
    max_drift: float = dataclasses.field(
        default=8.0, metadata={"help": "Stop where responses are so many times longer or shorter than at the start."}
    )
    max_empty: float = dataclasses.field(
        default=0.98, metadata={"help": "Stop above this share of groups whose advantages are all zero."}
    )
    patience: int = dataclasses.field(
        default=5, metadata={"help": "Logged steps in a row beyond a limit that stop the run."}
    )
    # A step waits for all its verdicts: more calls under way than for a file that is scored in the background.
    judge_concurrency: int = dataclasses.field(default=64, kw_only=True, metadata={"help": "Calls under way at once."})
    unsafe: bool = dataclasses.field(
        default=False, metadata={"help": "Run generated code although no sandbox works here."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws is not None and self.threshold is not None:
            raise InputError(
                f"expected either a threshold or draws, found threshold {self.threshold} and draws {self.draws}",
                field="draws",
            )
        check_name(self.method, REWARDS, "method")
        if self.method != "utility" and self.credit not in ("fragment", "response"):
            raise InputError(
                f"expected response with method {self.method}, which pays whole responses, found {self.credit!r}",
                field="credit",
            )
        if self.credit not in CREDITS:
            raise InputError(f"expected {', '.join(CREDITS)}, found {self.credit!r}", field="credit")
        if self.credited not in CREDITED:
            raise InputError(f"expected {', '.join(CREDITED)}, found {self.credited!r}", field="credited")

    def pay(self, domain: Domain) -> Pay:
        """What is paid for what in this domain."""
        threshold = domain.threshold if self.threshold is None else self.threshold
        return Pay(check_threshold(threshold), domain.halting, self.unverifiable, self.repeated, self.unfinished)

    def limits(self, domain: Domain) -> Limits:
        """When to stop the run."""
        failed = domain.max_failure_rate
        return Limits(self.max_refused, self.max_drift, self.max_empty, failed, self.patience)


def main(argv: Sequence[str]) -> None:
    """Train; the model (or its LoRA adapter), the tokenizer and run.json go to `output_dir`."""
    from trl import GRPOConfig, ModelConfig

    from rlhalt.training.setup import fit, load_trainable, parse

    data, args, model_args = parse((GrpoData, GRPOConfig, ModelConfig), argv)
    rows = list(read(data.train_file, Prompt))
    _check(rows, data.train_file)
    domain = load_domain(data.domain)
    pay, limits = data.pay(domain), data.limits(domain)
    with contextlib.ExitStack() as opened:
        client = opened.enter_context(data.client())
        scorer = domain.scorer(client, unsafe=data.unsafe)
        scorer.check_judge()
        start = model_args.model_name_or_path
        made = training_run("grpo", argv, data.train_file, args.output_dir, start, scorer.fingerprint)
        run = opened.enter_context(made)
        if pay.unverifiable and domain.verifier == "model":
            print(NEVER_PAID, file=sys.stderr)
        from datasets import Dataset

        from rlhalt.training.fragment_grpo.reward import FragmentReward
        from rlhalt.training.fragment_grpo.trainer import FragmentGRPOTrainer, stop_vllm
        from rlhalt.training.template import rows_as_sampled

        asked = asked_at(rows, data.draws, args.seed)
        method = REWARDS[data.method]
        # A model whose reward does not depend on τ has no τ.
        its = [pay.threshold] if method.per_tau else []
        thresholds = sorted({at for prompt, _ in asked if (at := stated(prompt)) is not None}) or its
        run.result(prompts=prompts_seen(rows), thresholds=thresholds, verifier=scorer.verifier.name)
        model, tokenizer, peft_config = load_trainable(model_args, data.base_template)
        stop_vllm(args, turn_ends(tokenizer, model.generation_config))
        with rows_as_sampled(tokenizer, args.chat_template_kwargs) as template:
            trainer = FragmentGRPOTrainer(
                model,
                FragmentReward(scorer, pay, template.opening),
                args,
                credit="response" if method.rewards else data.credit,
                alpha=data.alpha,
                credited=data.credited,
                limits=limits,
                method=method.rewards,
                train_dataset=Dataset.from_list(
                    [{"prompt": prompt, "reference": json.dumps(row.reference)} for prompt, row in asked]
                ),
                processing_class=tokenizer,
                peft_config=peft_config,
            )
        # Prompts are rendered at every step.
        trainer.chat_template = template.source
        fit(trainer, run, (data, args, model_args))


def asked_at(rows: Sequence[Prompt], draws: int | None, seed: int) -> list[tuple[list[Message], Prompt]]:
    """What is asked: each prompt as it is, or at `draws` thresholds that it states.

    A group of responses has one prompt and so one τ: its baseline is right, and no τ outweighs another, because the
    difference between a right and a wrong fragment is 1 at every τ.
    """
    if not draws:
        return [(row.prompt, row) for row in rows]
    rng = random.Random(seed)
    return [(with_threshold(row.prompt, at), row) for row in rows for at in drawn_thresholds(draws, rng)]


def _check(rows: Sequence[Prompt], path: str) -> None:
    if not rows:
        raise InputError("expected at least one prompt, found none", path=path)
    for number, row in enumerate(rows, start=1):
        if row.split != "train":
            raise InputError(
                f"expected prompts of the split train, found '{row.split}' (key {row.key}); take --split train",
                path=path,
                row=number,
                field="split",
            )
