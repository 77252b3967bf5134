"""The whole chain, from a model's own answers to a comparison, described by one YAML file; resumable at every step.

    prompts ─ sample (base, few-shot) ─ score ─┬─ targets ───► train sft
                                               │                  ▼
                                               ├─ pairs at τ ─► train dpo ─► evaluate ─► compare ─► report.html
                                               │                  └─► train grpo ┤
                                               ├─ decisions ──► train decisions ─┤
                                               └─ targets of other methods ──────┘

The pairs too are made of the pretrained model's answers: asked about a country it was trained on, the SFT model is
right far more often than about another, and pairs made of what it says there would teach it to trust itself.

The folder of a recipe holds what each step made:

    prompts.jsonl train.jsonl    all prompts, and those that online training asks
    base/                 responses.jsonl scored.jsonl targets.jsonl
    base/pairs-0.5.jsonl  base/decisions-0.5.jsonl  base/conditioned.jsonl  base/targets-unit.jsonl
    seed0/sft/            the SFT adapter
    seed0/dpo-0.5/        the DPO adapter at τ = 0.5; seed0/grpo-0.5/ what online training made of it
    seed0/decisions-0.5/  the adapter of decision training; seed0/conditioned/ the same with τ in the prompt
    seed0/unit/           the adapter of another method
    evaluation/           a folder a model and seed
    report/               report.html metrics.json metrics.csv comparison.json table.md
"""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rlhalt.domains import Domain, load_domain
from rlhalt.errors import InputError
from rlhalt.evaluation.run import Policy, evaluate
from rlhalt.jsonl import check_folder
from rlhalt.locks import locked
from rlhalt.models import turns
from rlhalt.plain import training_template
from rlhalt.provenance import Run, already_done, once
from rlhalt.records import Json, Prompt, Response, Rows
from rlhalt.sampling import EngineName, Settings, sample
from rlhalt.score_file import score_file
from rlhalt.scoring import Scorer
from rlhalt.stages import Stage, run_stages
from rlhalt.strict_yaml import read_fields, read_yaml
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
from rlhalt.training_data.targets.methods import MethodName

# In a checkout the folder is at the top level; an installed wheel carries it inside the package.
_FOLDERS = (Path(__file__).parents[2] / "configs", Path(__file__).parent / "configs")
_TRAIN: Json = {"split": "train"}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What to run.

    Attributes:
        model: the pretrained model.
        domain: what is asked, and whose verifier judges: a name, or a folder with domain.yaml.
        output: the folder everything goes to.
        thresholds: the τ that DPO models are trained at.
        seeds: each gives an SFT model and a DPO model a τ.
        responses: sampled from the pretrained model for each training prompt, with few-shot examples.
        best: share of each prompt's responses that become SFT targets, those with the most right fragments.
        temperature: of the sampled responses, in training and in evaluation.
        evaluation_responses: sampled for each held-out prompt, beside the greedy one.
        max_tokens: the longest response, in tokens, in training and in evaluation.
        chat_template_kwargs: arguments of the model's chat template, in sampling, training and evaluation.
        sft, dpo: training configurations, relative to the recipe's folder.
        decisions: that of decision training, from the SFT adapter, at every τ; not trained if null.
        threshold_in_prompt: that of one more decision training, with τ in the prompt. The model is evaluated at every τ
            and has seen none of them in training; not trained if null.
        grpo: that of online training, from the DPO adapter of each τ of `online_thresholds`; not trained if null.
        supervised: other methods to make targets of the same responses, by their names in
            `rlhalt.training_data.targets.methods`, each trained as `sft` says; `halt-per-tau` at every τ.
        style: of targets and pairs; what fits the domain if null.
        dpo_from: start DPO from the SFT adapter, or from the pretrained model with a new one.
        prompts: use only so many training and held-out prompts, all if null.
        train_file, heldout_file: where prompts are read from that do not come with the domain; both splits are in
            `train_file` if only that one is given.
    """

    model: str
    domain: str
    output: str
    thresholds: list[float]
    seeds: list[int]
    responses: int
    best: float
    temperature: float
    evaluation_responses: int
    sft: str
    dpo: str
    max_tokens: int = 64
    chat_template_kwargs: Json = dataclasses.field(default_factory=dict)
    engine: EngineName = "transformers"
    style: Style | None = None
    dpo_from: Literal["sft", "base"] = "sft"
    prompts: int | None = None
    train_file: str | None = None
    heldout_file: str | None = None
    decisions: str | None = None
    threshold_in_prompt: str | None = None
    grpo: str | None = None
    online_thresholds: list[float] = dataclasses.field(default_factory=list)
    supervised: list[MethodName] = dataclasses.field(default_factory=list)


def recipe_names() -> list[str]:
    """The recipes that come with rlhalt."""
    return sorted({path.stem for base in _FOLDERS for path in (base / "recipes").glob("*.yaml")})


def load_recipe(path: str | Path | None) -> Recipe:
    """Read a recipe: a file, or the name of one that comes with rlhalt; `quickstart` if None.

    The training configurations that it names lie beside it, or are those of `configs/`.

    Raises:
        InputError: missing files, an unknown or missing key, a τ outside (0, 1), online training at a τ without a DPO
            adapter.
    """
    path = _recipe_file("quickstart" if path is None else path)
    data = read_fields(path, Recipe)
    _check_values(data, path)
    online = data.get("online_thresholds", [])
    if bool(online) != bool(data.get("grpo")) or not set(online) <= set(data["thresholds"]):
        raise InputError(
            f"expected some of the thresholds {data['thresholds']} where grpo is given, and none where it is not, "
            f"found {online}",
            path=path,
            field="online_thresholds",
        )
    for key in ("sft", "dpo", "decisions", "threshold_in_prompt", "grpo"):
        if data.get(key) is not None:
            data[key] = str(_beside(path, data[key]))
    _check_files(Recipe(**data), path)
    return Recipe(**data)


def _check_values(data: Json, path: Path) -> None:
    def within(key: str, expected: str, right: Callable[[Any], bool]) -> None:
        values = data.get(key)
        for one in values if isinstance(values, list) else [] if values is None else [values]:
            if not right(one):
                raise InputError(f"expected {expected}, found {one!r}", path=path, field=key)

    for key in ("thresholds", "seeds"):
        if not data[key]:
            raise InputError("expected at least one, found an empty list", path=path, field=key)
    # Folders and files are named after thresholds as they are shown.
    for key, shown in {"thresholds": "{:g}", "seeds": "{}", "supervised": "{}"}.items():
        names = [shown.format(one) for one in data.get(key, [])]
        if len(set(names)) < len(names):
            raise InputError(f"expected different values, found {', '.join(names)}", path=path, field=key)
    for key in ("model", "domain", "output"):
        within(key, "text", lambda one: bool(one.strip()))
    for key in ("thresholds", "online_thresholds"):
        within(key, "thresholds above 0 and below 1", lambda one: 0 < one < 1)
    within("seeds", f"whole numbers from 0 to {2**32 - 1}", lambda one: 0 <= one < 2**32)
    within("engine", "transformers or vllm", lambda one: one != "openai")
    within("best", "a share above 0 and up to 1", lambda one: 0 < one <= 1)
    within("temperature", "a number above 0", lambda one: one > 0)
    within("evaluation_responses", "a number of at least 0", lambda one: 0 <= one < 2**31)
    for key in ("responses", "max_tokens", "prompts"):
        within(key, "a number of at least 1", lambda one: 1 <= one < 2**31)


def _recipe_file(name: str | Path) -> Path:
    found = [base / "recipes" / f"{name}.yaml" for base in _FOLDERS]
    path = next((one for one in (Path(name), *found) if one.is_file()), None)
    if path is None:
        raise InputError(f"expected a recipe ({', '.join(recipe_names())}) or a YAML file, found neither", path=name)
    return path


def _beside(recipe: Path, config: str) -> Path:
    """Where a training configuration lies; beside the recipe where it is nowhere, for the message."""
    places = (recipe.parent / config, *(base / config for base in _FOLDERS))
    return next((one for one in places if one.is_file()), places[0])


def _check_files(recipe: Recipe, path: Path) -> None:
    """See that all files are there that a recipe names, before anything runs.

    Raises:
        InputError: naming all that are missing.
    """
    named = (recipe.sft, recipe.dpo, recipe.decisions, recipe.threshold_in_prompt, recipe.grpo)
    missing = [one for one in (*named, recipe.train_file, recipe.heldout_file) if one and not Path(one).is_file()]
    if missing:
        raise InputError(f"expected these files, found none: {', '.join(dict.fromkeys(missing))}", path=path)


def check_training(recipe: Recipe, out: Path) -> None:
    """See that all trainings know the keys of their configurations, before the first response is drawn.

    Args:
        out: the recipe's folder; nothing is looked at where it holds a report.

    Raises:
        InputError: naming the file and the key.
    """
    if (out / "report" / "report.html").is_file():
        return
    from rlhalt.training.kinds import check_configuration

    named = [("sft", recipe.sft), ("dpo", recipe.dpo), ("decisions", recipe.decisions), ("grpo", recipe.grpo)]
    for kind, config in (*named, ("decisions", recipe.threshold_in_prompt)):
        if config is not None:
            check_configuration(kind, config)


def check_model(recipe: Recipe) -> None:
    """See that the model can be asked and trained, before the first response is drawn.

    Raises:
        InputError: see `rlhalt.models.turns`; or the model has no chat template and a configuration names none.
    """
    if turns(recipe.model, recipe.chat_template_kwargs).own_template:
        return
    for config in (recipe.sft, *([recipe.dpo] if recipe.dpo_from == "base" else [])):
        try:
            training_template(read_yaml(config).get("base_template"), recipe.model)
        except InputError as error:
            raise InputError(error.message, path=config, field=error.field) from None


@dataclasses.dataclass(frozen=True)
class Data:
    """What training reads: the file of targets, for each τ that of pairs and that of decisions, and what is beside."""

    targets: Path
    pairs: dict[float, Path]
    decisions: dict[float, Path]
    conditioned: Path | None
    prompts: Path
    supervised: dict[Method, Path]


def run(recipe: Recipe, output: Path | None = None) -> Path:
    """Run a recipe; what is done already is not done again. Returns the path of the report.

    Raises:
        InputError, TooManyFailures: see the stages.
    """
    out = output or Path(recipe.output)
    check_folder(out)
    domain = load_domain(recipe.domain)
    scorer = domain.scorer()
    train, held_out = read_prompts(recipe, domain)
    check_training(recipe, out)
    check_model(recipe)
    base = Policy("base", recipe.model, few_shot=domain.few_shot() if domain.has_examples else ())
    style = recipe.style or default_style(domain.halting)
    data, making = _data(recipe, train, base, scorer, style, out)
    policies, training = _policies(recipe, data, out)
    run_stages(
        [
            prompts_stage(recipe, [*train, *held_out], out),
            *making,
            *training,
            *comparing(recipe, {"base": base, **policies}, held_out, scorer, out),
        ]
    )
    return out / "report" / "report.html"


def read_prompts(recipe: Recipe, domain: Domain) -> tuple[list[Prompt], list[Prompt]]:
    """The training prompts and the held-out prompts of a recipe.

    Raises:
        InputError: the domain has no prompts of its own and the recipe names no file, or one of the two is empty.
    """
    train = domain.prompts(recipe.train_file, "train")[: recipe.prompts]
    held_out = domain.prompts(recipe.heldout_file or recipe.train_file, "heldout")[: recipe.prompts]
    if not (train and held_out):
        raise InputError(
            f"expected prompts for training and for evaluation, found {len(train)} and {len(held_out)}",
            field="train_file",
        )
    return train, held_out


def prompts_stage(recipe: Recipe, prompts: Sequence[Prompt], out: Path) -> Stage:
    """Writes all prompts of a recipe down."""
    inputs = sorted({one for one in (recipe.train_file, recipe.heldout_file) if one})
    config: Json = {"domain": load_domain(recipe.domain).domain, "prompts": recipe.prompts}
    file = out / "prompts.jsonl"
    return Stage("prompts", "", file, lambda: once("prompts", file, inputs, config, lambda: prompts))


def _data(
    recipe: Recipe, prompts: Sequence[Prompt], base: Policy, scorer: Scorer, style: Style, out: Path
) -> tuple[Data, list[Stage]]:
    """What training reads, and the stages that make it."""
    folder = out / "base"
    scored = folder / "scored.jsonl"
    decided = recipe.thresholds if recipe.decisions else []
    methods: list[Method] = []
    for method in (Method(name, style) for name in recipe.supervised):
        at = recipe.thresholds if method.at is not None else [method.threshold]
        methods += [dataclasses.replace(method, threshold=one) for one in at]
    data = Data(
        folder / "targets.jsonl",
        {one: folder / f"pairs-{one:g}.jsonl" for one in recipe.thresholds},
        {one: folder / f"decisions-{one:g}.jsonl" for one in decided},
        folder / "conditioned.jsonl" if recipe.threshold_in_prompt else None,
        out / "train.jsonl",
        {one: folder / f"targets-{_named(one.name, one.at)}.jsonl" for one in methods},
    )
    stages = answering(recipe, base, prompts, scorer, folder, "base")

    def add(kind: str, detail: str, output: Path, write: Callable[..., object], *args: object, **keys: object) -> None:
        stages.append(Stage(kind, detail, output, functools.partial(write, *args, **keys)))

    add("targets", "", data.targets, write_targets, scored, data.targets, style, recipe.best, scorer.phrase)
    for threshold, file in data.pairs.items():
        add("pairs", f"τ = {threshold:g}", file, write_pairs, scored, file, threshold, style, phrase=scorer.phrase)
    for threshold, file in data.decisions.items():
        add("decisions", f"τ = {threshold:g}", file, write_decisions, scored, file, threshold, style, scorer.phrase)
    if data.conditioned:
        unseen = [one / 100 for one in range(2, 99) if one / 100 not in recipe.thresholds]
        file = data.conditioned
        add(
            "decisions",
            "τ in the prompt",
            file,
            write_conditioned_decisions,
            scored,
            file,
            unseen,
            style,
            0,
            scorer.phrase,
        )
    if recipe.grpo:
        inputs = [out / "prompts.jsonl"]
        add("training prompts", "", data.prompts, once, "prompts", data.prompts, inputs, _TRAIN, lambda: prompts)
    for method, file in data.supervised.items():
        add("targets", _shown(method.name, method.at), file, write_supervised, scored, file, method, scorer.phrase)
    return data, stages


def _shown(*parts: str | float | None) -> str:
    """The parts of a stage's name; a number is a τ."""
    return " ".join(f"τ = {one:g}" if isinstance(one, float) else one for one in parts if one is not None)


def _named(name: str, threshold: float | None) -> str:
    """The name of a folder."""
    return name.lower() if threshold is None else f"{name.lower()}-{threshold:g}"


def answering(
    recipe: Recipe, policy: Policy, prompts: Sequence[Prompt], scorer: Scorer, folder: Path, detail: str
) -> list[Stage]:
    """The stages that make `scored.jsonl` of a folder: the scored responses of a policy to training prompts."""
    settings = Settings(
        policy.model,
        recipe.engine,
        responses=recipe.responses,
        temperature=recipe.temperature,
        max_tokens=recipe.max_tokens,
        few_shot=policy.few_shot,
        template_args=recipe.chat_template_kwargs,
    )
    responses, scored = folder / "responses.jsonl", folder / "scored.jsonl"
    return [
        Stage("sample", detail, responses, lambda: sample(prompts, settings, responses)),
        Stage("score", detail, scored, lambda: score_file(Rows(responses, Response), scorer, scored)),
    ]


def _policies(recipe: Recipe, data: Data, out: Path) -> tuple[dict[str, Policy], list[Stage]]:
    """An SFT model a seed, and at each τ those that follow it, by the name of their evaluation folder; their stages."""
    policies: dict[str, Policy] = {}
    stages: list[Stage] = []

    def add(name: str, model: str, seed: int, threshold: float | None = None, *, conditioned: bool = False) -> None:
        policies[f"{_named(name, threshold)}-seed{seed}"] = Policy(
            name, model, threshold, seed, threshold_in_prompt=conditioned
        )

    def train(stage: Stage) -> str:
        stages.append(stage)
        return str(stage.output)

    make = functools.partial(training_stage, recipe)
    for seed in recipe.seeds:
        folder = out / f"seed{seed}"
        sft = train(make("sft", recipe.sft, data.targets, folder / "sft", seed, recipe.model))
        add("SFT", sft, seed)
        for method, file in data.supervised.items():
            to = folder / _named(method.name, method.at)
            model = train(make("sft", recipe.sft, file, to, seed, recipe.model, name=_shown(method.name, method.at)))
            add(method.name, model, seed, method.at)
        for threshold, file in data.pairs.items():
            at = f"τ = {threshold:g}"
            start = sft if recipe.dpo_from == "sft" else recipe.model
            dpo = train(make("dpo", recipe.dpo, file, folder / f"dpo-{threshold:g}", seed, start, name=at))
            add("DPO", dpo, seed, threshold)
            if recipe.grpo and threshold in recipe.online_thresholds:
                keys = ("--threshold", f"{threshold:g}", "--domain", recipe.domain)
                to = folder / f"grpo-{threshold:g}"
                grpo = train(make("grpo", recipe.grpo, data.prompts, to, seed, dpo, keys, name=at))
                add("GRPO", grpo, seed, threshold)
        for threshold, file in data.decisions.items():
            at, to = f"τ = {threshold:g}", folder / f"decisions-{threshold:g}"
            model = train(make("decisions", str(recipe.decisions), file, to, seed, sft, name=at))
            add("decisions", model, seed, threshold)
        if recipe.threshold_in_prompt and data.conditioned:
            file, to = data.conditioned, folder / "conditioned"
            model = train(make("decisions", recipe.threshold_in_prompt, file, to, seed, sft, name="τ in the prompt"))
            for threshold in recipe.thresholds:
                add("conditioned", model, seed, threshold, conditioned=True)
    return policies, stages


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
) -> Stage:
    """Trains a model into `output`, see `trained`, with the chat template's arguments of the recipe."""
    if recipe.chat_template_kwargs:
        keys = (*keys, "--chat_template_kwargs", json.dumps(recipe.chat_template_kwargs))
    shown = "train decisions" if kind == "decisions" else kind.upper()
    work = functools.partial(trained, kind, config, data, output, seed, model, keys)
    return Stage(shown, f"{name} seed {seed}".strip(), output, work)


def trained(kind: str, config: str, data: Path, output: Path, seed: int, model: str, keys: Sequence[str] = ()) -> str:
    """The folder of a model trained as `kind` says (sft, dpo, decisions, grpo); a finished one is not trained again."""
    from rlhalt.training import training_run

    argv = ["--config", config, "--train_file", str(data), "--output_dir", str(output)]
    argv += ["--seed", str(seed), "--model_name_or_path", model, *keys]
    if training_run(kind, argv, data, output, model).finished:
        already_done(output)
        return str(output)
    from rlhalt.training import decisions, dpo, grpo, sft

    {"sft": sft, "dpo": dpo, "decisions": decisions, "grpo": grpo}[kind].main(argv)
    return str(output)


def comparing(
    recipe: Recipe, policies: Mapping[str, Policy], held_out: Sequence[Prompt], scorer: Scorer, out: Path
) -> list[Stage]:
    """Evaluates policies, `base` among them, by the name of their folder, and compares them."""
    asked = {
        name: dataclasses.replace(one, template_args=recipe.chat_template_kwargs) for name, one in policies.items()
    }
    base = asked["base"]
    folders = {name: out / "evaluation" / name for name in asked}
    evaluating = functools.partial(
        evaluate,
        samples=recipe.evaluation_responses,
        temperature=recipe.temperature,
        engine=recipe.engine,
        max_tokens=recipe.max_tokens,
    )
    stages = []
    for name, policy in asked.items():
        other = None if policy is base else base
        work = functools.partial(evaluating, policy, held_out, scorer, folders[name], base=other)
        stages.append(Stage("evaluate", name, folders[name], work))
    to = out / "report"
    return [*stages, Stage("compare", "", to, functools.partial(report, list(folders.values()), to))]


def report(folders: Sequence[Path], out: Path) -> Path:
    """Compare evaluations: files into `out`, the table and the report's path onto the terminal.

    Raises:
        InputError: see `rlhalt.evaluation.comparison`.
    """
    from rich.console import Console

    from rlhalt.evaluation.comparison import compare
    from rlhalt.evaluation.folder import load
    from rlhalt.evaluation.output import write as write_comparison
    from rlhalt.evaluation.tables import table
    from rlhalt.report.page import write_report

    evaluations = [load(folder) for folder in folders]
    comparison = compare(evaluations)
    inputs = [folder / "scored.jsonl" for folder in folders]
    with locked(out), Run("compare", out, inputs=inputs, config={"folders": [str(folder) for folder in folders]}):
        write_comparison(comparison, out)
        write_report(comparison, evaluations, out / "report.html")
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table(comparison))
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, highlight=False)
    return out / "report.html"
