"""A recipe from prompts to report, stage by stage; resumable at every step.

The folder of a recipe holds what each step made:

    prompts.jsonl base/   see `rlhalt.recipes.data`
    seed0/                see `rlhalt.recipes.training`
    calibration/          see `rlhalt.recipes.calibrating`
    evaluation/           a folder a model and seed
    report/               report.html metrics.json metrics.csv comparison.json table.md

A recipe of several domains has a folder for each, with `prompts.jsonl`, `base/`, `evaluation/` and `report/`; `report/`
of the recipe itself then has `report.html`, `domains.md` and `domains.json`, see `rlhalt.evaluation.several_domains`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rlhalt.cut.calibration import FILE, FOLDER
from rlhalt.files.text import check_folder
from rlhalt.recipes import untrained
from rlhalt.recipes.calibrating import calibrated_name, calibrating
from rlhalt.recipes.comparing import comparing, several
from rlhalt.recipes.data import data, parts, shown
from rlhalt.recipes.decoding import decoding
from rlhalt.recipes.distilling import distilling
from rlhalt.recipes.example import at_every_threshold, example
from rlhalt.recipes.online import online
from rlhalt.recipes.preferring import preferring
from rlhalt.recipes.recipe import Recipe, check_judge, check_model, check_training, judge_arguments, with_local_files
from rlhalt.recipes.training import models
from rlhalt.running.stages import run_stages

if TYPE_CHECKING:
    from rlhalt.llm import Client


def run(recipe: Recipe, output: Path | None = None) -> Path:
    """Run a recipe; what is done already is not done again. Returns the path of the report.

    Raises:
        InputError, TooManyFailures: see the stages.
    """
    out = output or Path(recipe.output)
    check_folder(out)
    with judge_arguments(recipe).client() as client:
        return _run(with_local_files(recipe), out, client)


def _run(recipe: Recipe, out: Path, client: Client | None) -> Path:
    found = parts(recipe, out, client)
    check_training(recipe, out)
    check_model(recipe)
    check_judge(client, out)
    made, making = data(recipe, found, out)
    policies, training = models(recipe, made, out, found[0].scorer)
    for add in (preferring, distilling, online):
        more, stages = add(recipe, found[0], out)
        policies, training = policies | more, [*training, *stages]
    if any(part.scorer is None for part in found):
        run_stages([*making, *training])
        trained = ", ".join(one.model for one in policies.values())
        print(
            f"trained and not evaluated, for want of a judge: {trained}; a recipe that names a judge (judge:), and "
            "prompts with what it must see (train_file:), evaluates them too",
            file=sys.stderr,
        )
        return out
    name = calibrated_name(recipe, policies)
    decodings, decoded = decoding(recipe, found[0], out)
    training += decoded
    compared = [stage for part in found for stage in comparing(recipe, part, policies, decodings)]
    reports = {part.domain.domain: part.folder / "report" for part in found}
    overview = several(reports, out / "report") if len(found) > 1 else []
    run_stages([*making, *training, *calibrating(recipe, found, policies), *compared, *overview])
    last = [name for name, one in policies.items() if untrained.why(one.model) is None][-1]
    for part in found:
        evaluations = part.folder / "evaluation"
        example(evaluations / "base", evaluations / last, shown(policies[last].name, policies[last].threshold))
        if name is not None:
            title, calibration = shown(policies[name].name, policies[name].threshold), part.folder / FOLDER / FILE
            at_every_threshold(evaluations / "base", evaluations / name, title, calibration, part.judging)
    return out / "report" / "report.html"
