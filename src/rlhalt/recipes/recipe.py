"""A recipe: one YAML file that says which model, which domains, and how each training is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlhalt.chat.plain import training_template
from rlhalt.configs import FOLDERS
from rlhalt.decoding.setup import Name
from rlhalt.domains.hub import local_file, on_hub
from rlhalt.errors import InputError, near
from rlhalt.files.strict_yaml import read_fields, read_yaml
from rlhalt.judge_arguments import JudgeArguments
from rlhalt.models.names import turns
from rlhalt.records import Json
from rlhalt.sampling import EngineName
from rlhalt.training.fragment_grpo.methods import REWARDS
from rlhalt.training.loggers import MODULES, not_installed
from rlhalt.training_data import Style
from rlhalt.training_data.preferences.methods import PREFERENCES
from rlhalt.training_data.table import check_name
from rlhalt.training_data.targets.methods import METHODS

if TYPE_CHECKING:
    from rlhalt.llm import Client


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What to run.

    Attributes:
        model: the pretrained model.
        domain: what is asked, and whose verifier judges: a name, or a folder with domain.yaml. A list of them trains
            each model on all of these domains, and evaluates it on each by itself.
        output: the folder everything goes to.
        thresholds: the τ that DPO models are trained at.
        seeds: each gives an SFT model and a DPO model a τ.
        responses: sampled from the pretrained model for each training prompt, with few-shot examples.
        best: share of each prompt's responses that become SFT targets, those with the most right fragments.
        temperature: of the sampled responses, in training and in evaluation.
        evaluation_responses: sampled for each held-out prompt, beside the greedy one.
        max_tokens: the longest response, in tokens, in training and in evaluation.
        chat_template_kwargs: arguments of the model's chat template, in sampling, training and evaluation.
        engine: what generates in sampling and evaluation, transformers or vllm; with vllm, online training generates
            with it too, where its configuration does not say `use_vllm` itself.
        sft, dpo: training configurations, relative to the recipe's folder; no DPO model is trained if `dpo` is null.
        decisions: that of decision training, from the SFT adapter, at every τ; not trained if null.
        threshold_in_prompt: that of one more decision training, with τ in the prompt. The model is evaluated at every τ
            and has seen none of them in training; not trained if null.
        distilled: that of one more supervised training, of a model that obeys the τ in its prompt, see
            `rlhalt.recipes.distilling`; not trained if null.
        draws: the thresholds at which each response of its targets is cut.
        distilled_online: that of online training from the distilled model, each prompt at several τ that it states
            (`draws` of the configuration); not trained if null.
        grpo: that of online training, from the DPO adapter of each τ of `online_thresholds`, and of the methods of
            `online`; not trained if null.
        online: methods that pay another reward in online training, by their names in
            `rlhalt.training.fragment_grpo.methods`; see `rlhalt.recipes.online`.
        supervised: other methods to make targets of the same responses, by their names in
            `rlhalt.training_data.targets.methods`, each trained as `sft` says; those that know τ at every τ.
        preferences: methods to make pairs of the same responses, by their names in
            `rlhalt.training_data.preferences.methods`, each trained as `dpo` says; see `rlhalt.recipes.preferring`.
        other_model: the second model of the method `other-chosen`.
        decodings: ways to decode the pretrained model, by their names in `rlhalt.decoding`, see
            `rlhalt.recipes.decoding`.
        style: of targets and pairs; what fits the domain if null.
        dpo_from: start DPO from the SFT adapter, or from the pretrained model with a new one.
        calibrated: the model that gets a calibrated cut in each domain, by the name of its folder (`sft`, `reference`,
            `dpo-0.5`), of the first seed. The recipe ends with its answer to a question at several τ; none if null.
        calibration: so many training prompts of each domain are kept out of training, for that calibration.
        prompts: use only so many training and held-out prompts, all if null.
        train_file, heldout_file: where prompts are read from that do not come with the domain, a file or a name of the
            hub (`rlhalt.domains.hub`); both splits are in `train_file` if only that one is given.
        judge: the language model that judges, by the keys of `rlhalt.judge_arguments`, for domains that ask one.
        report_to: where each training logs (tensorboard, trackio, wandb, …), under the name of its folder; online
            training logs its completions with their verdicts too. Nowhere if null.
        annotated: FActScore's files of labelled answers, which training uses in place of the model's own. Without a
            judge the models are not evaluated.
    """

    model: str
    domain: str | list[str]
    output: str
    thresholds: list[float]
    seeds: list[int]
    responses: int
    best: float
    temperature: float
    evaluation_responses: int
    sft: str
    dpo: str | None = None
    max_tokens: int = 64
    chat_template_kwargs: Json = dataclasses.field(default_factory=dict)
    engine: EngineName = "transformers"
    style: Style | None = None
    dpo_from: Literal["sft", "base"] = "sft"
    calibrated: str | None = None
    calibration: int = 30
    prompts: int | None = None
    train_file: str | None = None
    heldout_file: str | None = None
    judge: Json = dataclasses.field(default_factory=dict)
    annotated: list[str] = dataclasses.field(default_factory=list)
    decisions: str | None = None
    threshold_in_prompt: str | None = None
    distilled: str | None = None
    draws: int = 6
    distilled_online: str | None = None
    grpo: str | None = None
    online_thresholds: list[float] = dataclasses.field(default_factory=list)
    online: list[str] = dataclasses.field(default_factory=list)
    supervised: list[str] = dataclasses.field(default_factory=list)
    preferences: list[str] = dataclasses.field(default_factory=list)
    other_model: str | None = None
    decodings: list[Name] = dataclasses.field(default_factory=list)
    report_to: str | None = None

    @property
    def domains(self) -> list[str]:
        """The domains, also where there is but one."""
        return [self.domain] if isinstance(self.domain, str) else self.domain


def recipe_names() -> list[str]:
    """The recipes that come with rlhalt."""
    return sorted({path.stem for base in FOLDERS for path in (base / "recipes").glob("*.yaml")})


def load_recipe(path: str | Path | None) -> Recipe:
    """Read a recipe: a file, or the name of one that comes with rlhalt; `quickstart` if None.

    The training configurations that it names lie beside it or, where its folder is called recipes, beside that; or are
    those of `configs/`.

    Raises:
        InputError: missing files, an unknown or missing key, a τ outside (0, 1), online training at a τ without a DPO
            adapter.
    """
    path = _recipe_file("quickstart" if path is None else path)
    data = read_fields(path, Recipe)
    _check_values(data, path)
    if not isinstance(data["domain"], str):
        _check_several(data, path)
    if data.get("distilled") and data.get("annotated"):
        raise InputError(
            "expected none with annotated answers: its generators answer prompts", path=path, field="distilled"
        )
    _check_read(data, path)
    if data.get("calibrated") and data.get("annotated"):
        raise InputError(
            "expected none with annotated answers: no prompts are kept out of training", path=path, field="calibrated"
        )
    online = data.get("online_thresholds", [])
    if online and not data.get("dpo"):
        raise InputError("expected a training configuration: online training starts from DPO", path=path, field="dpo")
    used = bool(online) or bool(data.get("online"))
    if used != bool(data.get("grpo")) or not set(online) <= set(data["thresholds"]):
        raise InputError(
            f"expected some of the thresholds {data['thresholds']}, or methods in `online`, where grpo is given, and "
            f"neither where it is not, found {online}",
            path=path,
            field="online_thresholds",
        )
    if "rlcr" in data.get("online", []) and "confidence-num" not in data.get("supervised", []):
        raise InputError(
            "expected confidence-num beside rlcr, which starts from that model", path=path, field="supervised"
        )
    _check_preferences(data, path)
    _check_decodings(data, path)
    for key in ("sft", "dpo", "decisions", "threshold_in_prompt", "distilled", "distilled_online", "grpo"):
        if data.get(key) is not None:
            data[key] = str(_beside(path, data[key]))
    recipe = Recipe(**data)
    _check_files(recipe, path)
    _check_loggers(recipe, path)
    judge_arguments(recipe, path)
    return recipe


def judge_arguments(recipe: Recipe, path: str | Path | None = None) -> JudgeArguments:
    """The judge that a recipe names.

    Raises:
        InputError: a key that is none of a judge.
    """
    known = [one.name for one in dataclasses.fields(JudgeArguments)]
    for key in recipe.judge:
        if key not in known:
            raise InputError(f"unknown key; known are {', '.join(known)}", path=path, field=f"judge.{key}")
    return JudgeArguments(**recipe.judge)


def with_local_files(recipe: Recipe) -> Recipe:
    """A recipe whose prompts lie in files here; those of the hub are loaded.

    Raises:
        InputError: see `rlhalt.domains.hub.local_file`.
    """
    train, heldout = (one and str(local_file(one)) for one in (recipe.train_file, recipe.heldout_file))
    return dataclasses.replace(recipe, train_file=train, heldout_file=heldout)


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
    for key in ("thresholds", "seeds", "supervised", "preferences", "online", "decodings"):
        names = [f"{one:g}" if key == "thresholds" else str(one) for one in data.get(key, [])]
        if len(set(names)) < len(names):
            raise InputError(f"expected different values, found {', '.join(names)}", path=path, field=key)
    for key in ("model", "domain", "output"):
        within(key, "text", lambda one: bool(one.strip()))
    for key in ("thresholds", "online_thresholds"):
        within(key, "thresholds above 0 and below 1", lambda one: 0 < one < 1)
    others = {name: one for name, one in REWARDS.items() if one.rewards}
    for key, table in (("supervised", METHODS), ("preferences", PREFERENCES), ("online", others)):
        for one in data.get(key, []):
            try:
                check_name(one, table, key)
            except InputError as error:
                raise InputError(error.message, path=path, field=key) from None
    within("seeds", f"whole numbers from 0 to {2**32 - 1}", lambda one: 0 <= one < 2**32)
    within("engine", "transformers or vllm", lambda one: one != "openai")
    within("best", "a share above 0 and up to 1", lambda one: 0 < one <= 1)
    within("temperature", "a number above 0", lambda one: one > 0)
    within("evaluation_responses", "a number of at least 0", lambda one: 0 <= one < 2**31)
    for key in ("responses", "max_tokens", "prompts", "draws", "calibration"):
        within(key, "a number of at least 1", lambda one: 1 <= one < 2**31)


# Keys that another key alone reads: without it they would have no effect, and nothing would say so.
_READ_BY = {"draws": "distilled", "distilled_online": "distilled", "calibration": "calibrated", "dpo_from": "dpo"}


def _check_read(data: Json, path: Path) -> None:
    """See that no key is given that nothing reads.

    Raises:
        InputError: naming all of them, and the key that would read each.
    """
    unread = [key for key, reader in _READ_BY.items() if data.get(key) is not None and not data.get(reader)]
    if unread:
        named = ", ".join(f"{key} (only with {_READ_BY[key]})" for key in unread)
        raise InputError(f"expected keys that have an effect, found {named}", path=path, field=unread[0])


def _check_several(data: Json, path: Path) -> None:
    """See that a recipe of several domains asks for nothing that goes with one alone.

    Raises:
        InputError: naming the key.
    """
    if not data["domain"] or len(set(data["domain"])) < len(data["domain"]):
        raise InputError(f"expected domains, each once, found {data['domain']}", path=path, field="domain")
    for key in ("distilled", "grpo", "preferences", "decodings", "train_file", "heldout_file", "annotated"):
        if data.get(key):
            raise InputError("expected none with several domains: it goes with one", path=path, field=key)


def _check_preferences(data: Json, path: Path) -> None:
    """See that what the preference methods of a recipe need is there.

    Raises:
        InputError: naming the key.
    """
    methods = data.get("preferences", [])
    if methods and not data.get("dpo"):
        raise InputError("expected a training configuration: preference methods train with it", path=path, field="dpo")
    if methods and data.get("annotated"):
        raise InputError("expected none with annotated answers: they compare N", path=path, field="preferences")
    if "temporal" in methods and "own-pairs" not in methods:
        raise InputError(
            "expected own-pairs beside temporal, which reads that model's answers", path=path, field="preferences"
        )
    if ("other-chosen" in methods) != bool(data.get("other_model")):
        raise InputError(
            "expected a model where preferences has other-chosen, and none where not", path=path, field="other_model"
        )


def _check_decodings(data: Json, path: Path) -> None:
    """See that what the decodings of a recipe read is made by it.

    Raises:
        InputError: naming the key.
    """
    names = data.get("decodings", [])
    if "icd" in names and not data.get("dpo"):
        raise InputError(
            "expected a training configuration: icd reads the rejected sides of pairs", path=path, field="dpo"
        )
    if names and data.get("annotated"):
        raise InputError("expected none with annotated answers: no responses are drawn", path=path, field="decodings")


def _recipe_file(name: str | Path) -> Path:
    found = [base / "recipes" / f"{name}.yaml" for base in FOLDERS]
    path = next((one for one in (Path(name), *found) if one.is_file()), None)
    if path is None:
        names = recipe_names()
        raise InputError(
            f"expected a recipe ({', '.join(names)}) or a YAML file, found neither{near(name, names)}", path=name
        )
    return path


def _beside(recipe: Path, config: str) -> Path:
    """Where a training configuration lies; beside the recipe where it is nowhere, for the message.

    What `rlhalt configs --copy` wrote keeps its order: recipes/ lies beside sft/ and dpo/, and a change there counts.
    """
    folder = recipe.absolute().parent
    copied = [folder.parent] if folder.name == "recipes" else []
    places = [base / config for base in (recipe.parent, *copied, *FOLDERS)]
    return next((one for one in places if one.is_file()), places[0])


def _check_files(recipe: Recipe, path: Path) -> None:
    """See that all files are there that a recipe names, before anything runs.

    Raises:
        InputError: naming all that are missing.
    """
    supervised = (recipe.sft, recipe.decisions, recipe.threshold_in_prompt, recipe.distilled)
    named = (*supervised, recipe.dpo, recipe.grpo, recipe.distilled_online)
    files = [one for one in (recipe.train_file, recipe.heldout_file, *recipe.annotated) if one and not on_hub(one)]
    missing = [one for one in (*named, *files) if one and not Path(one).is_file()]
    if missing:
        raise InputError(f"expected these files, found none: {', '.join(dict.fromkeys(missing))}", path=path)


def _check_loggers(recipe: Recipe, path: Path) -> None:
    """See that what the trainings log to is installed, before anything runs.

    Raises:
        InputError: naming the package.
    """
    if recipe.report_to is None:
        return
    if recipe.report_to not in MODULES:
        raise InputError(
            f"expected {', '.join(MODULES)}, found {recipe.report_to!r}{near(recipe.report_to, MODULES)}",
            path=path,
            field="report_to",
        )
    if says := not_installed(recipe.report_to):
        raise InputError(says, path=path, field="report_to")


def check_training(recipe: Recipe, out: Path) -> None:
    """See that all trainings know the keys of their configurations, before the first response is drawn.

    Args:
        out: the recipe's folder; nothing is looked at where it holds a report already.

    Raises:
        InputError: naming the file and the key.
    """
    if (out / "report").is_dir():
        return
    from rlhalt.training.kinds import check_configuration

    named = [("sft", recipe.sft), ("dpo", recipe.dpo), ("decisions", recipe.decisions), ("grpo", recipe.grpo)]
    told = (("decisions", recipe.threshold_in_prompt), ("sft", recipe.distilled), ("grpo", recipe.distilled_online))
    for kind, config in (*named, *told):
        if config is not None:
            check_configuration(kind, config)
    if recipe.distilled_online is not None and not read_yaml(recipe.distilled_online).get("draws"):
        raise InputError(
            "expected several τ for each prompt, found none: the model is asked at every τ",
            path=recipe.distilled_online,
            field="draws",
        )


def check_judge(client: Client | None, out: Path) -> None:
    """See that the model that judges can be asked, before the first response is drawn.

    Args:
        client: asks it, where one is named.
        out: the recipe's folder; nothing is asked where it holds a report already.

    Raises:
        InputError, BudgetExceeded: see `rlhalt.llm.Client.check`.
    """
    if client is not None and not (out / "report").is_dir():
        client.check()


def check_model(recipe: Recipe) -> None:
    """See that the model can be asked and trained, before the first response is drawn.

    Raises:
        InputError: see `rlhalt.models.names.turns`; or the model has no chat template and a configuration names none.
    """
    if turns(recipe.model, recipe.chat_template_kwargs).own_template:
        return
    for config in (recipe.sft, recipe.distilled, recipe.dpo if recipe.dpo_from == "base" else None):
        if config is None:
            continue
        try:
            training_template(read_yaml(config).get("base_template"), recipe.model)
        except InputError as error:
            raise InputError(error.message, path=config, field=error.field) from None
