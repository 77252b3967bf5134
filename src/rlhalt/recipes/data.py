"""What training reads: made of the pretrained model's scored answers, domain by domain; several domains are joined.

    prompts.jsonl         all prompts
    base/                 responses.jsonl scored.jsonl targets.jsonl
    base/pairs-0.5.jsonl  base/decisions-0.5.jsonl  base/conditioned.jsonl  base/targets-unit.jsonl
    train.jsonl           the prompts that online training asks

Several domains have a folder each, with these files, beside `joined/` with those that training reads.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhalt.domains import Domain, load_domain
from rlhalt.domains.biography.factscore import write_scored
from rlhalt.errors import InputError
from rlhalt.evaluation.run import Policy
from rlhalt.files.provenance import once
from rlhalt.recipes.recipe import Recipe
from rlhalt.records import Decision, Json, Pair, Prompt, Response, Rows, Target, read
from rlhalt.running.stages import Stage
from rlhalt.sampling import Settings, sample
from rlhalt.score_file import score_file
from rlhalt.scoring import Scorer
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

if TYPE_CHECKING:
    from rlhalt.llm import Client


@dataclasses.dataclass(frozen=True)
class Part:
    """One domain of a recipe.

    Attributes:
        scorer: None where a domain needs a judge and the recipe, which trains on people's labels, names none.
        calibration: training prompts that no model is trained on.
        folder: where its files go: the recipe's own folder where it has no other domain.
        base: the pretrained model, as it is asked about this domain.
    """

    domain: Domain
    scorer: Scorer | None
    style: Style
    train: list[Prompt]
    calibration: list[Prompt]
    held_out: list[Prompt]
    base: Policy
    folder: Path

    @property
    def judging(self) -> Scorer:
        """The scorer, where there is one."""
        assert self.scorer is not None
        return self.scorer


def parts(recipe: Recipe, out: Path, client: Client | None = None) -> list[Part]:
    """The domains of a recipe.

    Args:
        client: asks the model that judges, where one is named.

    Raises:
        InputError: a domain that cannot be loaded, or without prompts for training and for evaluation.
    """
    return [_part(recipe, name, out, client) for name in recipe.domains]


def _part(recipe: Recipe, name: str, out: Path, client: Client | None) -> Part:
    domain = load_domain(name)
    labels_alone = bool(recipe.annotated) and client is None
    train, calibration, held_out = ([], [], []) if labels_alone else _prompts(recipe, domain)
    return Part(
        domain,
        None if labels_alone else domain.scorer(client),
        recipe.style or default_style(domain.halting),
        train,
        calibration,
        held_out,
        Policy("base", recipe.model, few_shot=domain.few_shot() if domain.has_examples else (), role="base"),
        out / domain.domain if len(recipe.domains) > 1 else out,
    )


def _prompts(recipe: Recipe, domain: Domain) -> tuple[list[Prompt], list[Prompt], list[Prompt]]:
    """The training prompts of a recipe, those of the calibration, and the held-out prompts.

    Raises:
        InputError: the domain has no prompts of its own and the recipe names no file, or one of the three is empty.
    """
    every = domain.prompts(recipe.train_file, "train")
    kept_out = evenly_spaced(len(every), recipe.calibration) if recipe.calibrated else set()
    train = [one for place, one in enumerate(every) if place not in kept_out][: recipe.prompts]
    calibration = [every[place] for place in sorted(kept_out)]
    held_out = domain.prompts(recipe.heldout_file or recipe.train_file, "heldout")[: recipe.prompts]
    if not (train and held_out):
        raise InputError(
            f"expected prompts of '{domain.domain}' for training and for evaluation, found {len(train)} and "
            f"{len(held_out)}" + (f", and {len(calibration)} for the calibration" if recipe.calibrated else ""),
            field="train_file",
        )
    return train, calibration, held_out


def evenly_spaced(n: int, wanted: int) -> set[int]:
    """So many places of n, evenly spaced: prompts may be sorted, by name or by difficulty. All if there are fewer.

    >>> sorted(evenly_spaced(10, 3))
    [1, 5, 8]
    """
    wanted = min(wanted, n)
    return {(2 * place + 1) * n // (2 * wanted) for place in range(wanted)}


@dataclasses.dataclass(frozen=True)
class Data:
    """What training reads: the file of targets, for each τ that of pairs and that of decisions, and what is beside."""

    targets: Path
    pairs: dict[float, Path]
    decisions: dict[float, Path]
    conditioned: Path | None
    prompts: Path
    supervised: dict[Method, Path]


def data(recipe: Recipe, found: Sequence[Part], out: Path) -> tuple[Data, list[Stage]]:
    """What training reads, and the stages that make it."""
    made = [_of_one(recipe, part) for part in found]
    stages = [stage for _, stages in made for stage in stages]
    if len(made) == 1:
        return made[0][0], stages
    joined = _named_files(recipe, out / "joined", out / "joined", found[0].style)
    return joined, [*stages, *_joining([one for one, _ in made], joined)]


def prompts_stage(recipe: Recipe, part: Part) -> Stage:
    """Writes all prompts of a domain down."""
    inputs = sorted({one for one in (recipe.train_file, recipe.heldout_file) if one})
    config: Json = {"domain": part.domain.domain, "prompts": recipe.prompts}
    if recipe.calibrated:
        config["calibration"] = recipe.calibration
    file = part.folder / "prompts.jsonl"
    asked = [*part.train, *part.calibration, *part.held_out]
    said = part.domain.domain if len(recipe.domains) > 1 else ""
    return Stage("prompts", said, file, lambda: once("prompts", file, inputs, config, lambda: asked))


def _named_files(recipe: Recipe, folder: Path, beside: Path, style: Style) -> Data:
    """The files of a folder, by what is in them."""
    methods: list[Method] = []
    for method in (Method(name, style) for name in recipe.supervised):
        at = recipe.thresholds if method.at is not None else [method.threshold]
        methods += [dataclasses.replace(method, threshold=one) for one in at]
    return Data(
        folder / "targets.jsonl",
        {one: folder / f"pairs-{one:g}.jsonl" for one in (recipe.thresholds if recipe.dpo else [])},
        {one: folder / f"decisions-{one:g}.jsonl" for one in (recipe.thresholds if recipe.decisions else [])},
        folder / "conditioned.jsonl" if recipe.threshold_in_prompt else None,
        beside / "train.jsonl",
        {one: folder / f"targets-{folder_name(one.name, one.at)}.jsonl" for one in methods},
    )


def _of_one(recipe: Recipe, part: Part) -> tuple[Data, list[Stage]]:
    """The files of one domain, and the stages that make them."""
    folder, phrase, style = part.folder / "base", part.domain.halting_phrase, part.style
    scored = folder / "scored.jsonl"
    files = _named_files(recipe, folder, part.folder, style)
    said = part.domain.domain if len(recipe.domains) > 1 else ""
    stages = [prompts_stage(recipe, part)] if part.train else []
    if recipe.annotated:
        stages.append(labelled(recipe, scored))
    else:
        stages += answering(recipe, part.base, part.train, part.judging, folder, f"base {said}".strip())

    def add(kind: str, detail: str, output: Path, write: Callable[..., object], *args: object, **keys: object) -> None:
        work = functools.partial(write, *args, **keys)
        stages.append(Stage(kind, f"{said} {detail}".strip(), output, work, (scored,)))

    add("targets", "", files.targets, write_targets, scored, files.targets, style, recipe.best, phrase)
    for threshold, file in files.pairs.items():
        add("pairs", f"τ = {threshold:g}", file, write_pairs, scored, file, threshold, style, phrase=phrase)
    for threshold, file in files.decisions.items():
        add("decisions", f"τ = {threshold:g}", file, write_decisions, scored, file, threshold, style, phrase)
    if files.conditioned:
        unseen = [one / 100 for one in range(2, 99) if one / 100 not in recipe.thresholds]
        write = write_conditioned_decisions
        add(
            "decisions",
            "τ in the prompt",
            files.conditioned,
            write,
            scored,
            files.conditioned,
            unseen,
            style,
            0,
            phrase,
        )
    if recipe.grpo:
        stages.append(prompts_of_training(part, files.prompts))
    for method, file in files.supervised.items():
        add("targets", shown(method.name, method.at), file, write_supervised, scored, file, method, phrase)
    return files, stages


def prompts_of_training(part: Part, file: Path) -> Stage:
    """Writes the prompts that online training asks."""
    inputs, split = [part.folder / "prompts.jsonl"], {"split": "train"}
    work = functools.partial(once, "prompts", file, inputs, split, lambda: part.train)
    return Stage("training prompts", "", file, work, tuple(inputs))


def labelled(recipe: Recipe, scored: Path) -> Stage:
    """Makes scored responses of answers that people labelled."""
    work = functools.partial(write_scored, recipe.annotated, scored, "sentences", "train")
    return Stage("read labels", "", scored, work)


def _joining(made: Sequence[Data], joined: Data) -> list[Stage]:
    """The stages that put the files of several domains into one each."""
    stages: list[Stage] = []

    def add(detail: str, to: Path, files: Sequence[Path], rows: Callable[[Sequence[Path]], Iterable[object]]) -> None:
        work = functools.partial(once, "join", to, files, {}, functools.partial(rows, files))
        stages.append(Stage("join", detail, to, work, tuple(files)))

    add("targets", joined.targets, [one.targets for one in made], functools.partial(_all, Target))
    for threshold, to in joined.pairs.items():
        add(f"pairs τ = {threshold:g}", to, [one.pairs[threshold] for one in made], _equally_heavy)
    for threshold, to in joined.decisions.items():
        files = [one.decisions[threshold] for one in made]
        add(f"decisions τ = {threshold:g}", to, files, functools.partial(_all, Decision))
    if joined.conditioned:
        files = [one.conditioned for one in made if one.conditioned]
        add("decisions τ in the prompt", joined.conditioned, files, functools.partial(_all, Decision))
    # A method has the style of its domain, so that those of two domains may differ; their order is the recipe's.
    for place, (method, to) in enumerate(joined.supervised.items()):
        files = [list(one.supervised.values())[place] for one in made]
        add(f"targets {shown(method.name, method.at)}", to, files, functools.partial(_all, Target))
    return stages


def _all(kind: type[Target] | type[Decision], files: Sequence[Path]) -> Iterator[object]:
    for file in files:
        yield from read(file, kind)


def _equally_heavy(files: Sequence[Path]) -> Iterator[Pair]:
    """Pairs of several domains; each domain weighs the same in all."""
    yield from balanced([list(read(file, Pair)) for file in files])


def balanced(kinds: Sequence[Sequence[Pair]]) -> Iterator[Pair]:
    """Pairs of several kinds, made lighter so that all kinds weigh the same in all.

    All pairs of one kind are scaled alike, so that each kind keeps its own balance of τ and 1 - τ.
    """
    weights = [sum(one.weight for one in kind) for kind in kinds]
    lightest = min((one for one in weights if one), default=0.0)
    for kind, weight in zip(kinds, weights, strict=True):
        for one in kind:
            yield dataclasses.replace(one, weight=one.weight * (lightest / weight))


def shown(*parts: str | float | None) -> str:
    """The parts of a stage's name; a number is a τ."""
    return " ".join(f"τ = {one:g}" if isinstance(one, float) else one for one in parts if one is not None)


def folder_name(name: str, threshold: float | None) -> str:
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
        Stage("sample", detail, responses, lambda: sample(prompts, settings, responses), (Path(policy.model),)),
        Stage("score", detail, scored, lambda: score_file(Rows(responses, Response), scorer, scored), (responses,)),
    ]
