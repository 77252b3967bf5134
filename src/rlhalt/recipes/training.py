"""The models of a recipe, each trained from the one before it.

seed0/sft/            the SFT adapter
seed0/dpo-0.5/        the DPO adapter at τ = 0.5; seed0/grpo-0.5/ what online training made of it
seed0/decisions-0.5/  the adapter of decision training; seed0/conditioned/ the same with τ in the prompt
seed0/unit/           the adapter of another method
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from rlhalt.evaluation.roles import Role
from rlhalt.evaluation.run import Policy
from rlhalt.files.provenance import already_done
from rlhalt.files.strict_yaml import read_yaml
from rlhalt.recipes import untrained
from rlhalt.recipes.data import Data, folder_name, shown
from rlhalt.recipes.recipe import Recipe
from rlhalt.running.stages import Stage
from rlhalt.scoring import Scorer
from rlhalt.training_data.targets.methods import METHODS


def models(
    recipe: Recipe, made: Data, out: Path, scorer: Scorer | None = None
) -> tuple[dict[str, Policy], list[Stage]]:
    """An SFT model a seed, and at each τ those that follow it, by the name of their evaluation folder; their stages.

    Args:
        scorer: what judges in online training.
    """
    policies: dict[str, Policy] = {}
    stages: list[Stage] = []

    def add(
        name: str,
        model: str,
        seed: int,
        threshold: float | None = None,
        *,
        role: Role = "trained",
        conditioned: bool = False,
    ) -> None:
        policies[f"{folder_name(name, threshold)}-seed{seed}"] = Policy(
            name, model, threshold, seed, threshold_in_prompt=conditioned, role=role
        )

    def train(stage: Stage) -> str:
        stages.append(stage)
        return str(stage.output)

    make = functools.partial(training_stage, recipe)
    for seed in recipe.seeds:
        folder = out / f"seed{seed}"
        sft = train(make("sft", recipe.sft, made.targets, folder / "sft", seed, recipe.model))
        add("SFT", sft, seed, role="supervised")
        for method, file in made.supervised.items():
            to = folder / folder_name(method.name, method.at)
            name, keys = shown(method.name, method.at), METHODS[method.name].keys
            stage = make("sft", recipe.sft, file, to, seed, recipe.model, keys, name=name)
            model = train(untrained.training(stage, functools.partial(untrained.empty, file, "targets")))
            add(method.name, model, seed, method.at, role="supervised")
        for threshold, file in made.pairs.items():
            at = f"τ = {threshold:g}"
            start = sft if recipe.dpo_from == "sft" else recipe.model
            dpo = train(make("dpo", str(recipe.dpo), file, folder / f"dpo-{threshold:g}", seed, start, name=at))
            add("DPO", dpo, seed, threshold)
            if recipe.grpo and threshold in recipe.online_thresholds:
                keys = ("--threshold", f"{threshold:g}", "--domain", recipe.domains[0], *judge_keys(recipe))
                to = folder / f"grpo-{threshold:g}"
                grpo = train(make("grpo", recipe.grpo, made.prompts, to, seed, dpo, keys, name=at, scorer=scorer))
                add("GRPO", grpo, seed, threshold)
        for threshold, file in made.decisions.items():
            at, to = f"τ = {threshold:g}", folder / f"decisions-{threshold:g}"
            model = train(make("decisions", str(recipe.decisions), file, to, seed, sft, name=at))
            add("decisions", model, seed, threshold)
        if recipe.threshold_in_prompt and made.conditioned:
            file, to = made.conditioned, folder / "conditioned"
            model = train(make("decisions", recipe.threshold_in_prompt, file, to, seed, sft, name="τ in the prompt"))
            for threshold in recipe.thresholds:
                add("conditioned", model, seed, threshold, conditioned=True)
    return policies, stages


def judge_keys(recipe: Recipe) -> list[str]:
    """The recipe's judge as arguments of online training."""
    found = []
    for name, value in recipe.judge.items():
        if value is not None:
            found += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return found


def training_stage(
    recipe: Recipe,
    kind: str,
    config: str,
    data: Path,
    output: Path,
    seed: int,
    model: str,
    keys: Sequence[str] = (),
    *,
    name: str = "",
    scorer: Scorer | None = None,
) -> Stage:
    """Trains a model into `output`, see `trained`, with the chat template's arguments of the recipe.

    With the engine vllm, online training generates with vLLM too, in its own process where its configuration names no
    other way (`use_vllm`).

    Args:
        scorer: what judges in online training.
    """
    if recipe.chat_template_kwargs:
        keys = (*keys, "--chat_template_kwargs", json.dumps(recipe.chat_template_kwargs))
    if recipe.report_to:
        keys = (*keys, "--report_to", recipe.report_to, "--run_name", "/".join(output.parts[-3:]))
        if kind == "grpo":
            keys = (*keys, "--log_completions", "true", "--num_completions_to_print", "0")
    if kind == "grpo" and recipe.engine == "vllm" and "use_vllm" not in read_yaml(config):
        keys = (*keys, "--use_vllm", "true", "--vllm_mode", "colocate")
    title = "train decisions" if kind == "decisions" else kind.upper()
    judged_by = scorer.fingerprint if scorer else ""
    work = functools.partial(trained, kind, config, data, output, seed, model, keys, judged_by)
    return Stage(title, f"{name} seed {seed}".strip(), output, work, (data, Path(model)))


def trained(
    kind: str,
    config: str,
    data: Path,
    output: Path,
    seed: int,
    model: str,
    keys: Sequence[str] = (),
    judged_by: str = "",
) -> str:
    """The folder of a model trained as `kind` says (sft, dpo, decisions, grpo); a finished one is not trained again.

    Args:
        judged_by: see `rlhalt.training.training_run`.
    """
    from rlhalt.training import training_run

    argv = ["--config", config, "--train_file", str(data), "--output_dir", str(output)]
    argv += ["--seed", str(seed), "--model_name_or_path", model, *keys]
    if training_run(kind, argv, data, output, model, judged_by).finished:
        already_done(output)
        return str(output)
    from rlhalt.training import decisions, dpo, grpo, sft

    {"sft": sft, "dpo": dpo, "decisions": decisions, "grpo": grpo}[kind].main(argv)
    return str(output)
