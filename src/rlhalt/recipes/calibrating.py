"""The calibrated cut in a recipe: one of its models has every τ, without training for any; see `rlhalt.cut`.

calibration/     responses-0.jsonl scored-0.jsonl calibration.json, of each domain; no model is trained on its prompts
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlhalt.cut.calibrate import calibrate
from rlhalt.cut.calibration import FOLDER
from rlhalt.errors import InputError
from rlhalt.evaluation.run import Policy
from rlhalt.recipes.data import Part
from rlhalt.recipes.recipe import Recipe
from rlhalt.running.stages import Stage
from rlhalt.sampling import Settings


def calibrated_name(recipe: Recipe, policies: Mapping[str, Policy]) -> str | None:
    """The evaluation folder of the model that is calibrated, that of the first seed; None if the recipe names none.

    Raises:
        InputError: the recipe has no model of that name, or its prompt states τ.
    """
    if recipe.calibrated is None:
        return None
    end = f"-seed{recipe.seeds[0]}"
    name = f"{recipe.calibrated}{end}"
    if name not in policies:
        known = ", ".join(one.removesuffix(end) for one in policies if one.endswith(end))
        raise InputError(f"expected a model of this recipe ({known}), found '{recipe.calibrated}'", field="calibrated")
    if policies[name].threshold_in_prompt:
        raise InputError("expected a model whose prompt states no τ: the cut needs none", field="calibrated")
    return name


def calibrating(recipe: Recipe, parts: Sequence[Part], policies: Mapping[str, Policy]) -> list[Stage]:
    """The stages that calibrate one model in each domain.

    Raises:
        InputError: see `calibrated_name`.
    """
    name = calibrated_name(recipe, policies)
    if name is None:
        return []
    policy = policies[name]
    settings = Settings(
        policy.model,
        recipe.engine,
        responses=1,
        temperature=recipe.temperature,
        max_tokens=recipe.max_tokens,
        few_shot=(),
        template_args=recipe.chat_template_kwargs,
    )
    stages = []
    for part in parts:
        said = f"{part.domain.domain} " if len(parts) > 1 else ""
        folder = part.folder / FOLDER
        work = functools.partial(calibrate, settings, part.calibration, part.judging, folder)
        stages.append(Stage("calibrate", f"{said}{name}", folder, work, (Path(policy.model),)))
    return stages
