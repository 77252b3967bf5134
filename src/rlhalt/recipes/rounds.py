"""Iterated rounds: the trained model answers new prompts, is scored, paired and trained again.

    first model ─ sample ─ score ─┬─ targets ─► train sft ─► train dpo ─► round 1
                                  │                                         │ sample ─ score
                                  └──────────────── anchors ──── pairs ◄────┘
                                                                   └─► train dpo ─► round 2 ─► …

Each round has prompts of its own, dealt from the training prompts: asked again what it was trained on, a model is right
far more often than about anything else, and its pairs would teach it to trust itself.

The first model answers the prompts of every round too, and its pairs stay in as *anchors*, with half of the weight. Its
wrong answers keep what was unlearnt from coming back: the trained model no longer says it, and pairs of its own have
nothing against it. Its right answers stay as well: the trained model never hears that what it leaves out was right, and
wrong answers alone would move the threshold.

Every round starts from the model before it, which is also its reference. Where the reference shifts the switch point
(see `rlhalt.training_data`), it does so by the n-th part after n rounds: what is learnt adds up, and the first
reference counts once. Rounds are made of pairs: a recipe's decision training, which has no reference, is not repeated.

The folder holds what each step made; run again, what is done is not done again:

    prompts.jsonl
    first/round1/               responses.jsonl scored.jsonl: the first model's answers to the prompts of a round
    targets.jsonl
    seed0/sft/
    seed0/tau-0.5/round1/       pairs.jsonl dpo/
    seed0/tau-0.5/round2/       responses.jsonl scored.jsonl pairs.jsonl dpo/
    evaluation/ report/         as of a recipe
    rounds.json                 utility by round
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhalt.errors import InputError
from rlhalt.evaluation.run import Policy
from rlhalt.files.provenance import once
from rlhalt.files.text import check_folder
from rlhalt.fragments.halting_phrase import named
from rlhalt.recipes.comparing import comparing
from rlhalt.recipes.data import answering, balanced, parts, prompts_stage
from rlhalt.recipes.recipe import Recipe, check_judge, check_model, check_training, judge_arguments, with_local_files
from rlhalt.recipes.training import training_stage
from rlhalt.records import HALT_PHRASE, Pair, Prompt, write_atomic
from rlhalt.running.stages import Stage, run_stages
from rlhalt.training_data import Style, pairs, write_pairs, write_targets
from rlhalt.training_data.files import training_rows

if TYPE_CHECKING:
    from rlhalt.llm import Client


NOT_OF_ROUNDS = (
    "decisions", "threshold_in_prompt", "distilled", "distilled_online", "grpo", "supervised", "preferences",
    "decodings", "calibrated",
)  # fmt: skip
"""Keys of a recipe that rounds do not use."""


def run(recipe: Recipe, rounds: int, output: Path | None = None) -> Path:
    """Run so many rounds of a recipe, for each of its seeds and τ. Returns the path of the report.

    Args:
        output: the folder everything goes to; beside the recipe's own, with `-rounds` behind its name, if None.

    Raises:
        InputError: fewer than one round, or more than there are training prompts; see the stages.
        TooManyFailures: see `score_file`.
    """
    out = output or Path(f"{recipe.output}-rounds")
    if len(recipe.domains) > 1:
        raise InputError("expected one domain: rounds deal the prompts of one", field="domain")
    if recipe.dpo is None:
        raise InputError("expected a training configuration: each round trains with DPO", field="dpo")
    if recipe.annotated:
        raise InputError("expected none: rounds train on the model's own answers", field="annotated")
    check_folder(out)
    with judge_arguments(recipe).client() as client:
        return _run(with_local_files(recipe), rounds, out, client)


def _run(recipe: Recipe, rounds: int, out: Path, client: Client | None) -> Path:
    (part,) = parts(recipe, out, client)
    scorer, style, first = part.judging, part.style, part.base
    dealt = deal(part.train, rounds)
    if unused := [key for key in NOT_OF_ROUNDS if getattr(recipe, key)]:
        print(f"rlhalt rounds trains SFT and DPO alone; not used of this recipe: {', '.join(unused)}", file=sys.stderr)
    check_training(recipe, out)
    check_model(recipe)
    check_judge(client, out)
    stages = [prompts_stage(recipe, part)]
    anchors = []
    for number, prompts in enumerate(dealt, start=1):
        folder = out / "first" / f"round{number}"
        stages += answering(recipe, first, prompts, scorer, folder, f"base, round {number}")
        anchors.append(folder / "scored.jsonl")
    targets = out / "targets.jsonl"
    work = functools.partial(write_targets, anchors[0], targets, style, recipe.best, scorer.phrase)
    stages.append(Stage("targets", "", targets, work, (anchors[0],)))
    policies: dict[str, Policy] = {}
    for seed in recipe.seeds:
        sft = training_stage(recipe, "sft", recipe.sft, targets, out / f"seed{seed}" / "sft", seed, recipe.model)
        stages.append(sft)
        policies[f"sft-seed{seed}"] = Policy("SFT", str(sft.output), seed=seed, role="supervised")
        for threshold in recipe.thresholds:
            model = str(sft.output) if recipe.dpo_from == "sft" else recipe.model
            for number, (prompts, anchor) in enumerate(zip(dealt, anchors, strict=True), start=1):
                folder = out / f"seed{seed}" / f"tau-{threshold:g}" / f"round{number}"
                own, file, name = folder / "scored.jsonl", folder / "pairs.jsonl", f"τ = {threshold:g} round {number}"
                if number == 1:
                    make = functools.partial(write_pairs, anchor, file, threshold, style, phrase=scorer.phrase)
                else:
                    stages += answering(recipe, Policy("", model), prompts, scorer, folder, f"{name} seed {seed}")
                    make = functools.partial(write_anchored, own, anchor, file, threshold, style, scorer.phrase)
                stages.append(Stage("pairs", f"{name} seed {seed}", file, make, (anchor, own)))
                dpo = training_stage(recipe, "dpo", str(recipe.dpo), file, folder / "dpo", seed, model, name=name)
                stages.append(dpo)
                model = str(dpo.output)
                policies[f"round{number}-{threshold:g}-seed{seed}"] = Policy(
                    f"round {number}", model, threshold, seed, role="trained"
                )
    run_stages([*stages, *comparing(recipe, part, policies)])
    write_atomic(out / "rounds.json", [json.dumps(by_round(out / "report" / "metrics.json"), indent=1), "\n"])
    _show(out / "rounds.json")
    return out / "report" / "report.html"


def deal(prompts: Sequence[Prompt], rounds: int) -> list[list[Prompt]]:
    """Training prompts dealt to rounds, one after the other.

    Raises:
        InputError: fewer than one round, or more than prompts.
    """
    if not 1 <= rounds <= len(prompts):
        raise InputError(
            f"expected between 1 and {len(prompts)} rounds, as many as there are training prompts, found {rounds}",
            field="rounds",
        )
    return [list(prompts[number::rounds]) for number in range(rounds)]


def write_anchored(
    own: Path, anchors: Path, output: Path, threshold: float, style: Style, phrase: str = HALT_PHRASE
) -> None:
    """The pairs of a model's own answers and those of the first model's, each with half of the weight.

    Args:
        phrase: what the domain halts with.

    Raises:
        InputError: see `rlhalt.training_data`.
    """

    def make() -> Iterator[Pair]:
        return balanced([list(pairs(training_rows(file), threshold, style, phrase)) for file in (own, anchors)])

    config = {"style": style, "threshold": threshold, "anchors": True, **named(phrase)}
    once("pairs", output, [own, anchors], config, make)


def by_round(metrics: Path) -> list[dict[str, Any]]:
    """Utility by round: for each τ and decoding the first model, the SFT model, and the model after each round.

    Args:
        metrics: the `metrics.json` of the comparison.

    Returns:
        `{threshold, decoding, model, utility: {value, low, high}, correctness, completeness}`, utility at that τ.
    """
    entries = json.loads(metrics.read_text(encoding="utf-8"))
    thresholds = sorted({one["threshold"] for one in entries if one["threshold"] is not None})
    return [
        {
            "threshold": threshold,
            "decoding": one["decoding"],
            "model": one["name"],
            "utility": one["utility"][f"{threshold:g}"],
            "correctness": one["correctness"],
            "completeness": one["completeness"],
        }
        for threshold in thresholds
        for decoding in ("greedy", "sampled")
        for one in entries
        if one["decoding"] == decoding and one["threshold"] in (None, threshold)
    ]


def _show(path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("τ", "decoding", "model", "utility at τ", "95 %", "correctness", title="Utility by round")
    for one in json.loads(path.read_text(encoding="utf-8")):
        gain, right = one["utility"], one["correctness"]["value"]
        table.add_row(
            f"{one['threshold']:g}",
            one["decoding"],
            one["model"],
            f"{gain['value']:.3f}",
            f"{gain['low']:.3f} … {gain['high']:.3f}",
            "" if right is None else f"{right:.0%}",
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table)
