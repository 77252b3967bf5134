"""The online methods of a recipe: one GRPO training each, from the SFT model, with another reward than ours.

seed0/truth-rl/   seed0/reinforced-hesitation-0.5/     the adapters
"""

from __future__ import annotations

import functools
from pathlib import Path

from rlhalt.evaluation.run import Policy
from rlhalt.recipes import untrained
from rlhalt.recipes.data import Part, folder_name, shown
from rlhalt.recipes.recipe import Recipe
from rlhalt.recipes.training import judge_keys, training_stage
from rlhalt.running.stages import Stage
from rlhalt.training.fragment_grpo.methods import REWARDS


def online(recipe: Recipe, part: Part, out: Path) -> tuple[dict[str, Policy], list[Stage]]:
    """A model an online method, seed and, where the method knows it, τ; by evaluation folder, and their stages.

    None for a recipe without online methods.
    """
    policies: dict[str, Policy] = {}
    stages: list[Stage] = []
    for seed in recipe.seeds:
        folder = out / f"seed{seed}"
        for name in recipe.online:
            method = REWARDS[name]
            start = str(folder / method.start)
            for threshold in recipe.thresholds if method.per_tau else [None]:
                keys = ["--method", name, "--domain", recipe.domains[0], *judge_keys(recipe)]
                keys += [] if threshold is None else ["--threshold", f"{threshold:g}"]
                to, said = folder / folder_name(name, threshold), shown(name, threshold)
                prompts = part.folder / "train.jsonl"
                stage = training_stage(
                    recipe, "grpo", str(recipe.grpo), prompts, to, seed, start, keys, name=said, scorer=part.scorer
                )
                reason = functools.partial(_nothing, method.start, start)
                stages.append(untrained.training(stage, reason))
                policies[f"{to.name}-seed{seed}"] = Policy(name, str(to), threshold, seed, role="trained")
    return policies, stages


def _nothing(name: str, start: str) -> str | None:
    """Why a method has no model: what it starts from has none."""
    return None if untrained.why(start) is None else f"{name}, which it starts from, was not trained"
