"""The distilled cut in a recipe: one model for every τ, which its prompt states; see `rlhalt.cut.distil`.

Two generators are fine-tuned, each on the reference answers of one half of the training prompts, and each answers the
other half: what a model is taught by heart has a probability that says nothing of other prompts.

distilled/targets-0.jsonl generator-0/         the reference answers of half 0, and the generator trained on them
distilled/half-1/                              its responses to half 1: responses.jsonl scored.jsonl
distilled/targets.jsonl                        all responses, cut at the τ that their prompt states
seed0/distilled/                               the model trained on them
distilled/train.jsonl seed0/distilled-online/  the prompts of online training, and what it made of that model
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from rlhalt.cut.confidence import confidences
from rlhalt.cut.distil import cross_fitted, distilled
from rlhalt.evaluation.run import Policy
from rlhalt.files.provenance import once
from rlhalt.recipes.data import Part, answering, prompts_of_training
from rlhalt.recipes.recipe import Recipe
from rlhalt.recipes.training import judge_keys, training_stage
from rlhalt.records import Json, Scored, Target, read
from rlhalt.running.stages import Stage
from rlhalt.training_data.files import training_rows
from rlhalt.training_data.targets import reference

HALVES = (0, 1)


def distilling(recipe: Recipe, part: Part, out: Path) -> tuple[dict[str, Policy], list[Stage]]:
    """A model a seed that obeys the τ in its prompt, evaluated at each τ of the recipe; and the stages that make it.

    Raises:
        InputError: a domain whose references have no text `answer`, fewer than 30 decided fragments in a half.
    """
    if recipe.distilled is None:
        return {}, []
    folder, first = out / "distilled", recipe.seeds[0]
    stages: list[Stage] = []
    generators, scored = [], []
    for half in HALVES:
        file, other = folder / f"targets-{half}.jsonl", 1 - half
        keys = {one.key for one in part.train[half::2]}
        write = functools.partial(_write_references, part.folder / "base" / "scored.jsonl", file, keys, half)
        stages.append(Stage("targets", f"half {half}", file, write, (part.folder / "base" / "scored.jsonl",)))
        trained = training_stage(
            recipe, "sft", recipe.sft, file, folder / f"generator-{half}", first, recipe.model, name=f"half {half}"
        )
        generator = Policy("generator", str(trained.output), template_args=recipe.chat_template_kwargs)
        answers = folder / f"half-{other}"
        stages += [
            trained,
            *answering(recipe, generator, part.train[other::2], part.judging, answers, f"half {other}"),
        ]
        generators.append(generator.model)
        scored.append(answers / "scored.jsonl")
    targets = folder / "targets.jsonl"
    write = functools.partial(_write_distilled, scored, generators, part, recipe, targets)
    stages.append(Stage("distil", "the cut", targets, write, (*scored, *map(Path, generators))))
    policies: dict[str, Policy] = {}
    for seed in recipe.seeds:
        to = out / f"seed{seed}" / "distilled"
        trained = training_stage(recipe, "sft", recipe.distilled, targets, to, seed, recipe.model, name="distilled")
        stages.append(trained._replace(kind="distilled SFT", detail=f"seed {seed}"))
        made = {"distilled": str(to)}
        if recipe.distilled_online:
            asked = folder / "train.jsonl"
            if seed == first:
                stages.append(prompts_of_training(part, asked))
            more = ("--domain", recipe.domains[0], *judge_keys(recipe))
            online = training_stage(
                recipe, "grpo", recipe.distilled_online, asked, to.with_name("distilled-online"), seed, str(to), more,
                name="distilled", scorer=part.scorer,
            )  # fmt: skip
            stages.append(online)
            made["distilled-online"] = str(online.output)
        for name, model in made.items():
            for threshold in recipe.thresholds:
                policies[f"{name}-{threshold:g}-seed{seed}"] = Policy(
                    name, model, threshold, seed, threshold_in_prompt=True, role="trained"
                )
    return policies, stages


def _write_references(scored: Path, file: Path, keys: Collection[str], half: int) -> None:
    def make() -> Iterator[Target]:
        return reference.targets(row for row in training_rows(scored) if row.prompt_key in keys)

    once("targets", file, [scored], {"name": "reference", "half": half}, make)


def _write_distilled(scored: Sequence[Path], generators: Sequence[str], part: Part, recipe: Recipe, file: Path) -> None:
    scorer = part.judging

    def make() -> Iterator[Target]:
        rows = [list(read(one, Scored)) for one in scored]
        sure = [
            confidences("token_probability", model, its, scorer, template_args=recipe.chat_template_kwargs)
            for model, its in zip(generators, rows, strict=True)
        ]
        for its in cross_fitted(rows, sure):
            yield from distilled(its, scorer.halting, recipe.draws, scorer.phrase)

    config: Json = {"draws": recipe.draws, "halting": scorer.halting, "phrase": scorer.phrase}
    once("distil", file, scored, config, make)
