"""Policies of a known-probability world, made as a user makes them: sample → score → targets or pairs → train.

Every method starts from the same base model and the same scored answers to the training questions:

    base         the base model
    sharp        the base model, sampled at the temperature at which the answers were drawn
    halt         HALT: supervised, the better side of every answer; it knows no τ
    halt-per-tau HALT per τ: supervised, fragments whose probability over a prompt's answers is τ or more
    reference    standard fine-tuning: supervised, the truth, whatever the base model knows of it
    idk          whole-answer abstention: supervised, "Unsure from here." where an answer is wrong somewhere
    multisample  Alignment for Honesty's: supervised, every answer, or the refusal in place of a wrong one
    unweighted   DPO from `halt`, every pair with the same weight
    dpo          DPO from `halt`, pairs weighted τ and 1 - τ, as the recipes train it
    dpo-sft      the same with a supervised term on the chosen side, weight `sft_weight`; called `dpo` up to ff0c5e2
    dpo-anchored the same with -log π of the words in which the sides differ, of both sides, weight `anchor`
    rounds       two rounds of `dpo` as `rlhalt.recipes.rounds` makes them, each on half of the training questions
    decisions    decision training from the base model
    conditioned  one such training for every τ, with τ in the prompt
    shifted      one model for every τ from `decisions` at ½, without verdicts: see `shifted.py`
    grpo         online training from `decisions`, credit to the openings of fragments
    words        the same, credit to all words of fragments
    stock        the same start, TRL's own GRPO with one reward a response
    moved        as `grpo`, from `decisions` at ½, whatever τ is
    online       as `grpo`, from `halt`, where DPO begins
    offline      as `online`, on responses drawn once: two `halt` of half of the questions each answer the other half
    better-half  control of `online`: supervised from `halt`, the better half of the rollouts of `online` itself
    distilled    control of `online`: supervised from the base model, the answers of `online` to the training questions
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import yaml
from benchmarks.known_probabilities.base import train_base
from benchmarks.known_probabilities.measure import Mode
from benchmarks.known_probabilities.online import Rollouts, as_targets, better_half, train_offline, train_online
from benchmarks.known_probabilities.shifted import train_shifted
from benchmarks.known_probabilities.world import World

from rlhalt.chat.threshold_prompt import with_threshold
from rlhalt.recipes.rounds import deal, write_anchored
from rlhalt.recipes.training import trained
from rlhalt.records import Prompt, Scored, read, write, write_atomic
from rlhalt.sampling import Settings, sample
from rlhalt.score_file import score_file
from rlhalt.training.fragment_grpo.advantages import Credit, Pay
from rlhalt.training_data import (
    Method,
    Style,
    default_style,
    write_conditioned_decisions,
    write_decisions,
    write_pairs,
    write_supervised,
    write_targets,
)

METHODS = (
    *(
        "base",
        "sharp",
        "halt",
        "halt-per-tau",
        "unweighted",
        "dpo",
        "dpo-sft",
        "dpo-anchored",
        "decisions",
        "conditioned",
        "shifted",
        "grpo",
        "words",
        "stock",
        "moved",
    ),
    *("online", "offline", "better-half", "distilled", "reference", "idk", "multisample", "rounds"),
)
# These know no threshold: one policy stands beside all of them.
_WITHOUT = ("halt", "unweighted", "conditioned", "shifted", "reference", "idk", "multisample")
# All hundredths, but for the thresholds that `conditioned` is measured at and those beside them.
CONDITIONED_ON = [n / 100 for n in range(5, 99) if all(abs(n - measured) > 1 for measured in (20, 50, 80, 95))]
MODES: tuple[Mode, ...] = get_args(Mode)

COMMON = {
    "per_device_train_batch_size": 64,
    "learning_rate": 5e-4,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 5,
    "max_length": 128,
    "gradient_checkpointing": False,
    "use_cpu": True,
    "bf16": True,
    "save_strategy": "no",
    "report_to": "none",
    "logging_steps": 10,
    "disable_tqdm": True,
}


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is computed.

    Attributes:
        base_steps: of the base model.
        responses: sampled for each training question.
        temperature: of these. Below 1 they say what is likeliest more often than the base model does, and policies that
            are trained on them learn that too.
        sft_steps, dpo_steps, decision_steps, conditioned_steps, shifted_steps: of training, with 64 examples each
            (responses, for decisions).
        online_steps, offline_steps, moving_steps: of online training, with 32 questions and 8 answers to each; of
            `offline`, of `moved`.
        clip: of `offline`: how far π / π_start may be from 1.
        credit: of online training, see `rlhalt.training.fragment_grpo.advantages.advantages`.
        unverifiable: what online training pays for a sentence that states nothing. At -0.1, in a causal domain, it is
            worth saying "Its is bone.": the answer goes on behind it, past the fact that it is unsure of.
        beta: of DPO.
        sft_weight: of the supervised term of `dpo-sft`.
        anchor: of `dpo-anchored`.
    """

    base_steps: int = 800
    responses: int = 48
    temperature: float = 0.7
    sft_steps: int = 150
    dpo_steps: int = 150
    decision_steps: int = 500
    conditioned_steps: int = 800
    shifted_steps: int = 400
    online_steps: int = 60
    offline_steps: int = 30
    clip: float = 0.2
    moving_steps: int = 150
    credit: Credit = "sum"
    unverifiable: float = -1.0
    beta: float = 0.1
    sft_weight: float = 0.2
    anchor: float = 0.2


@dataclasses.dataclass(frozen=True)
class Policies:
    """The policies of one world, made when they are asked for, under one folder; what is there is not made again."""

    world: World
    folder: Path
    effort: Effort

    def base(self) -> Path:
        """The model that all others come from."""
        train_base(self.world, self.folder / "base", self.effort.base_steps)
        return self.folder / "base"

    def scored(self) -> Path:
        """Its answers to the training questions, judged."""
        return self._answers(self.base(), self.world.prompts(heldout=False), self.folder)

    def _answers(self, model: Path, prompts: Sequence[Prompt], folder: Path, temperature: float | None = None) -> Path:
        settings = Settings(
            str(model),
            responses=self.effort.responses,
            temperature=self.effort.temperature if temperature is None else temperature,
            max_tokens=40,
            batch_size=288,
        )
        score_file(sample(prompts, settings, folder / "responses.jsonl"), self.world.scorer(), folder / "scored.jsonl")
        return folder / "scored.jsonl"

    def made(self, method: str, mode: Mode, threshold: float) -> Path:
        """The folder of a policy."""
        style, effort = default_style(mode), self.effort
        folder = self.folder / mode / (method if method in _WITHOUT else f"{method}-{threshold:g}")
        match method:
            case "base" | "sharp":
                return self.base()
            case "halt":
                data = folder / "targets.jsonl"
                write_targets(self.scored(), data, style, 1.0)
                return self._trained("sft", data, folder, self.base(), effort.sft_steps)
            case "halt-per-tau":
                data = folder / "targets.jsonl"
                write_supervised(self.scored(), data, Method("halt-per-tau", style, threshold=threshold))
                return self._trained("sft", data, folder, self.base(), effort.sft_steps)
            case "reference" | "idk" | "multisample":
                data = folder / "targets.jsonl"
                write_supervised(self.scored(), data, Method(method, style))
                return self._trained("sft", data, folder, self.base(), effort.sft_steps)
            case "rounds":
                return self._rounds(threshold, style, self.folder / mode, folder)
            case "decisions":
                data = folder / "decisions.jsonl"
                write_decisions(self.scored(), data, threshold, style)
                return self._trained("decisions", data, folder, self.base(), effort.decision_steps)
            case "conditioned":
                data = folder / "decisions.jsonl"
                write_conditioned_decisions(self.scored(), data, CONDITIONED_ON, style, self.world.seed)
                return self._trained("decisions", data, folder, self.base(), effort.conditioned_steps)
            case "shifted":
                data = self.folder / mode / "conditioned" / "decisions.jsonl"
                write_conditioned_decisions(self.scored(), data, CONDITIONED_ON, style, self.world.seed)
                start = self.made("decisions", mode, 0.5)
                keys = {"max_steps": effort.shifted_steps, "learning_rate": 2.5e-4, "seed": self.world.seed}
                return train_shifted(data, start, folder, {**COMMON, **keys})
            case "grpo" | "words" | "stock" | "moved" | "online":
                begun = "halt" if method == "online" else "decisions"
                start = self.made(begun, mode, 0.5 if method == "moved" else threshold)
                steps = effort.moving_steps if method == "moved" else effort.online_steps
                rollouts = Rollouts(steps, effort.credit, "fragment" if method == "words" else "opening")
                pay = Pay(threshold, mode, effort.unverifiable)
                return train_online(self.world, start, folder, pay, rollouts, method == "stock")
            case "offline":
                pay = Pay(threshold, mode, effort.unverifiable)
                rollouts = Rollouts(effort.offline_steps, effort.credit, "opening", clip=effort.clip)
                start = self.made("halt", mode, threshold)
                return train_offline(self.world, start, folder, pay, rollouts, self._crossed(style, self.folder / mode))
            case "better-half":
                data = folder / "targets.jsonl"
                write(data, better_half(self.made("online", mode, threshold)))
                return self._trained("sft", data, folder, self.made("halt", mode, threshold), effort.sft_steps)
            case "distilled":
                data = folder / "targets.jsonl"
                policy, prompts = self.made("online", mode, threshold), self.world.prompts(heldout=False)
                write(data, as_targets(read(self._answers(policy, prompts, folder, 1.0), Scored)))
                return self._trained("sft", data, folder, self.base(), effort.sft_steps)
            case _:
                data = folder / "pairs.jsonl"
                # At ½ right and wrong weigh the same.
                write_pairs(self.scored(), data, 0.5 if method == "unweighted" else threshold, style)
                kind = method if method in ("dpo-sft", "dpo-anchored") else "dpo"
                return self._trained(kind, data, folder, self.made("halt", mode, threshold), effort.dpo_steps)

    def _rounds(self, threshold: float, style: Style, beside: Path, folder: Path) -> Path:
        """Two rounds of DPO; the supervised model before them stands beside those of the other thresholds."""
        halves = deal(self.world.prompts(heldout=False), 2)
        anchors = [self._answers(self.base(), one, self.folder / f"half{n}") for n, one in enumerate(halves)]
        start = beside / "halt-of-half"
        write_targets(anchors[0], start / "targets.jsonl", style, 1.0)
        model = self._trained("sft", start / "targets.jsonl", start, self.base(), self.effort.sft_steps)
        for number, (prompts, anchor) in enumerate(zip(halves, anchors, strict=True)):
            its = folder / f"round{number + 1}"
            data = its / "pairs.jsonl"
            if number == 0:
                write_pairs(anchor, data, threshold, style)
            else:
                write_anchored(self._answers(model, prompts, its), anchor, data, threshold, style)
            model = self._trained("dpo", data, its / "dpo", model, self.effort.dpo_steps)
        return model

    def _crossed(self, style: Style, beside: Path) -> list[Path]:
        """Responses to each half of the training questions by `halt` trained on the other half, judged."""
        halves = deal(self.world.prompts(heldout=False), 2)
        found = []
        for number, (prompts, others) in enumerate(zip(halves, reversed(halves), strict=True)):
            answers, folder = (
                self._answers(self.base(), prompts, self.folder / f"half{number}"),
                beside / f"half{number}",
            )
            write_targets(answers, folder / "targets.jsonl", style, 1.0)
            model = self._trained("sft", folder / "targets.jsonl", folder, self.base(), self.effort.sft_steps)
            found.append(self._answers(model, others, folder / "answers", 1.0))
        return found

    def _trained(self, kind: str, data: Path, folder: Path, start: Path, steps: int) -> Path:
        pairs = {"num_train_epochs": 1, "draws": 64 * steps, "beta": self.effort.beta}
        keys = {
            "sft": {"max_steps": steps},
            "dpo": pairs,
            "dpo-sft": {**pairs, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, self.effort.sft_weight]},
            "dpo-anchored": {**pairs, "anchor": self.effort.anchor},
            "decisions": {"max_steps": steps, "learning_rate": 2.5e-4},
        }[kind]
        config = folder / "config.yaml"
        write_atomic(config, [yaml.safe_dump({**COMMON, "model_name_or_path": str(start), **keys})])
        return Path(trained(kind.partition("-")[0], str(config), data, folder, self.world.seed, str(start)))


def worlds(seeds: Sequence[int], folder: Path, effort: Effort) -> list[Policies]:
    """A world a seed, each with a folder of its own: other names, facts, odds, answers and order of training."""
    return [Policies(World(seed=seed), folder / f"seed{seed}", effort) for seed in seeds]


def told(method: str, threshold: float) -> str | None:
    """The system message that a policy is asked with."""
    return with_threshold([], threshold)[0]["content"] if method in ("conditioned", "shifted") else None
