"""The preference methods of a recipe: pairs of each, a DPO model of each; all of the same scored answers.

base/scored.jsonl ─┬─ pairs of rlkf, f-dpo, own-pairs, … ───────────────► train dpo
                   ├─ base asked for wrong answers ─ pairs of grath ────► train dpo
                   ├─ another model's answers ─ pairs of other-chosen ──► train dpo
                   └─ the own-pairs model's answers ─ pairs of temporal ► train dpo

preferences/rlkf-0.5.jsonl  preferences/grath/      pairs, and answers that a method reads beside the base model's
seed0/rlkf-0.5/                                     the adapter
seed0/temporal-0.5-answers/                         answers of the own-pairs model of this seed
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

from rlhalt.evaluation.run import Policy
from rlhalt.recipes import untrained
from rlhalt.recipes.data import Part, answering, folder_name, shown
from rlhalt.recipes.recipe import Recipe
from rlhalt.recipes.training import training_stage
from rlhalt.running.stages import Stage
from rlhalt.training_data import Preference, write_preferences
from rlhalt.training_data.preferences.grath import asked_wrongly
from rlhalt.training_data.preferences.methods import PREFERENCES


def preferring(recipe: Recipe, part: Part, out: Path) -> tuple[dict[str, Policy], list[Stage]]:
    """A DPO model a preference method, seed and, where the method knows it, τ; by evaluation folder, and their stages.

    None for a recipe without preference methods.
    """
    policies: dict[str, Policy] = {}
    stages: list[Stage] = []
    folder = out / "preferences"
    beside = {name: folder / name / "scored.jsonl" for name in ("grath", "other-chosen")}
    for name, answers in beside.items():
        if name in recipe.preferences:
            stages += _beside(recipe, part, name, answers.parent)
    files: dict[Preference, Path] = {}
    for method in methods(recipe, part):
        if method.name != "temporal":
            files[method] = folder / f"{folder_name(method.name, method.at)}.jsonl"
            stages.append(_pairs(part, method, files[method], beside.get(method.name)))
    for seed in recipe.seeds:
        here = out / f"seed{seed}"
        start = str(here / "sft") if recipe.dpo_from == "sft" else recipe.model
        for method in methods(recipe, part):
            name, said = folder_name(method.name, method.at), shown(method.name, method.at)
            if method.name == "temporal":
                future = Policy("", str(here / folder_name("own-pairs", method.at)))
                folder = here / f"{name}-answers"
                detail = f"{shown('own-pairs', method.at)} seed {seed}"
                files[method] = folder / "pairs.jsonl"
                more = answering(recipe, future, part.train, part.judging, folder, detail)
                more.append(_pairs(part, method, files[method], folder / "scored.jsonl", f" seed {seed}"))
                stages += [untrained.after(one, future.model) for one in more]
            keys = [one.format(model=recipe.model) for one in PREFERENCES[method.name].keys]
            made = training_stage(
                recipe, "dpo", str(recipe.dpo), files[method], here / name, seed, start, keys, name=said
            )
            stages.append(untrained.training(made, functools.partial(_nothing, method, files[method], made.output)))
            policies[f"{name}-seed{seed}"] = Policy(method.name, str(made.output), method.at, seed, role="trained")
    return policies, stages


def _nothing(method: Preference, pairs: Path, output: Path) -> str | None:
    """Why a method has no model; the answers that `temporal` reads are those of a model that may not be there."""
    start = output.parent / folder_name("own-pairs", method.at)
    if method.name == "temporal" and untrained.why(start) is not None:
        return "own-pairs, whose answers it reads, was not trained"
    return untrained.empty(pairs, "pairs")


def methods(recipe: Recipe, part: Part) -> list[Preference]:
    """The preference methods of a recipe, one that knows τ at each of its thresholds; `temporal` behind the others.

    The model whose answers it reads is trained before it then.
    """
    found: list[Preference] = []
    for method in (Preference(name, part.style) for name in recipe.preferences):
        at = recipe.thresholds if method.at is not None else [method.threshold]
        found += [dataclasses.replace(method, threshold=one) for one in at]
    return sorted(found, key=lambda one: one.name == "temporal")


def _pairs(part: Part, method: Preference, file: Path, others: Path | None, whose: str = "") -> Stage:
    scored = part.folder / "base" / "scored.jsonl"
    work = functools.partial(write_preferences, scored, file, method, phrase=part.domain.halting_phrase, others=others)
    return Stage("pairs", shown(method.name, method.at) + whose, file, work, (scored, *([others] if others else [])))


def _beside(recipe: Recipe, part: Part, name: str, folder: Path) -> Sequence[Stage]:
    if name == "grath":
        wrongly = [asked_wrongly(one) for one in part.train]
        return answering(recipe, part.base, wrongly, part.judging, folder, "base, asked for wrong answers")
    other = dataclasses.replace(part.base, model=str(recipe.other_model))
    return answering(recipe, other, part.train, part.judging, folder, "the other model")
