"""Online training: a policy answers, the scorer judges, and each fragment's tokens receive what it earned at τ.

    accelerate launch scripts/train_grpo.py --config configs/grpo/countries.yaml

The scorer is the one that made the pairs and that evaluates (`rlhalt.reward`); the trainer is TRL's, with the
advantages of `rlhalt.training.online.credit`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence

from rlhalt.credit import check_threshold
from rlhalt.errors import InputError
from rlhalt.llm import Client
from rlhalt.pairs.leakage import prompts_seen
from rlhalt.records import Prompt, read
from rlhalt.reward import Specification, load_specification
from rlhalt.training import training_run
from rlhalt.training.checkpoints import Resumable
from rlhalt.training.online.alarms import Limits
from rlhalt.training.online.credit import CREDITS, Pay
from rlhalt.training.online.tokens import CREDITED


@dataclasses.dataclass
class GrpoData(Resumable):
    """What to train on, and what is paid for what.

    Attributes:
        train_file: prompts with references, JSON lines of `rlhalt.records.Prompt`.
        reward: a domain under reward/, or a folder with reward.yaml.
        threshold: τ; the domain's own where None.
        credit, alpha: see `rlhalt.training.online.credit.advantages`.
        credited: see `rlhalt.training.online.tokens.Credited`.
        unverifiable, enough: see `rlhalt.training.online.credit.Pay`.
        max_refused, max_drift, max_empty, patience: see `rlhalt.training.online.alarms.Limits`.
        judge_address, judge_model, judge_key, judge_concurrency, judge_cache, budget_calls: as of `rlhalt score`.
        unsafe: run generated code although no sandbox works here.
    """

    train_file: str = dataclasses.field(metadata={"help": "Prompts: JSON lines with prompt and reference."})
    reward: str = dataclasses.field(metadata={"help": "A domain under reward/, or a folder with reward.yaml."})
    threshold: float | None = dataclasses.field(default=None, metadata={"help": "τ; the domain's own if not given."})
    credit: str = dataclasses.field(default="fragment", metadata={"help": "How rewards become advantages."})
    alpha: float = dataclasses.field(default=1.0, metadata={"help": "Of credit mixed: the fragment's own part."})
    credited: str = dataclasses.field(default="fragment", metadata={"help": "Tokens of a fragment: fragment, opening."})
    unverifiable: float = dataclasses.field(default=0.0, metadata={"help": "What an uncheckable fragment earns, ≤ 0."})
    enough: float | None = dataclasses.field(
        default=None, metadata={"help": "Claims after which one more counts half; all the same if not given."}
    )
    max_refused: float = dataclasses.field(default=0.98, metadata={"help": "Share of claimless responses to stop at."})
    max_drift: float = dataclasses.field(default=8.0, metadata={"help": "Times longer or shorter than at the start."})
    max_empty: float = dataclasses.field(default=0.98, metadata={"help": "Share of groups without any gradient."})
    patience: int = dataclasses.field(default=5, metadata={"help": "Logged steps in a row before a run is stopped."})
    judge_address: str | None = dataclasses.field(default=None, metadata={"help": "http://host:8000/v1, if asked."})
    judge_model: str | None = dataclasses.field(default=None, metadata={"help": "As the judge's server knows it."})
    judge_key: str = dataclasses.field(default="OPENAI_API_KEY", metadata={"help": "The variable with the API key."})
    judge_concurrency: int = dataclasses.field(default=64, metadata={"help": "Calls under way at once."})
    judge_cache: str | None = dataclasses.field(default=None, metadata={"help": "A file that keeps replies."})
    budget_calls: int | None = dataclasses.field(default=None, metadata={"help": "Calls after which to stop."})
    unsafe: bool = dataclasses.field(default=False, metadata={"help": "Run generated code without a sandbox."})

    def __post_init__(self) -> None:
        if self.credit not in CREDITS:
            raise InputError(f"expected {', '.join(CREDITS)}, found {self.credit!r}", field="credit")
        if self.credited not in CREDITED:
            raise InputError(f"expected {', '.join(CREDITED)}, found {self.credited!r}", field="credited")

    def pay(self, specification: Specification) -> Pay:
        """What is paid for what in this domain."""
        threshold = specification.threshold if self.threshold is None else self.threshold
        return Pay(check_threshold(threshold), specification.halting, self.unverifiable, self.enough)

    def limits(self, specification: Specification) -> Limits:
        """When to stop the run."""
        failed = specification.max_failure_rate
        return Limits(self.max_refused, self.max_drift, self.max_empty, failed, self.patience)

    @contextlib.contextmanager
    def client(self) -> Iterator[Client | None]:
        """What asks the judge, where one is given."""
        if self.judge_address is None:
            yield None
            return
        if self.judge_model is None:
            raise InputError("expected the judge's name with its address, found none", field="judge_model")
        from rlhalt import llm

        with Client(
            llm.Server(self.judge_address, self.judge_model, self.judge_key),
            llm.Limits(concurrency=self.judge_concurrency),
            llm.Budget(calls=self.budget_calls),
            self.judge_cache,
        ) as client:
            yield client


def main(argv: Sequence[str]) -> None:
    """Train; the model (or its LoRA adapter), the tokenizer and run.json go to `output_dir`."""
    from trl import GRPOConfig, ModelConfig

    from rlhalt.training.setup import fit, load_trainable, parse

    data, args, model_args = parse((GrpoData, GRPOConfig, ModelConfig), argv)
    rows = list(read(data.train_file, Prompt))
    _check(rows, data.train_file)
    specification = load_specification(data.reward)
    pay, limits = data.pay(specification), data.limits(specification)
    with (
        data.client() as client,
        training_run("grpo", argv, data.train_file, args.output_dir, model_args.model_name_or_path) as run,
    ):
        scorer = specification.scorer(client, unsafe=data.unsafe)
        from datasets import Dataset

        from rlhalt.training.online.reward import FragmentReward
        from rlhalt.training.online.trainer import FragmentGRPOTrainer

        run.result(prompts=prompts_seen(rows), threshold=pay.threshold, verifier=scorer.verifier.name)
        model, tokenizer, peft_config = load_trainable(model_args, data.base_template)
        trainer = FragmentGRPOTrainer(
            model,
            FragmentReward(scorer, pay),
            args,
            credit=data.credit,
            alpha=data.alpha,
            credited=data.credited,
            limits=limits,
            train_dataset=Dataset.from_list(
                [{"prompt": row.prompt, "reference": json.dumps(row.reference)} for row in rows]
            ),
            processing_class=tokenizer,
            peft_config=peft_config,
        )
        fit(trainer, run, (data, args, model_args))


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
