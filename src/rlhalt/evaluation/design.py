"""The design of a comparison, made once and read by everything behind it: tables, differences, switch point, report.

It says which models there are and what each of them is, on which prompts and at which τ they are compared, which pairs
of models are compared, and which of these comparisons were *planned*.

A planned comparison is tested, and its p-value is corrected for all planned ones; every other difference has an
interval and no p-value. Planned are, under the first decoding (greedy, where there is one):

1. every model less base, in correctness, and in utility at the model's own τ (`Design.own_threshold`),
2. every model less each model that its training started from (DPO less its SFT, GRPO less its DPO and less its SFT), in
   utility at its own τ,
3. every model + cut less base + cut, in utility at the model's own τ (`rlhalt.evaluation.cut`): what training adds for
   somebody who can calibrate and cut.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import Floats, crossed, seed_weights, weights
from rlhalt.evaluation.cross_fitting import halves
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.protocol import comparable
from rlhalt.evaluation.roles import ROLES, Role
from rlhalt.rewards import Halting

CUT = " + cut"
CutBy = Literal["token_probability", "reward"]
"""What a model + cut is cut by: its own token probability, or what `rlhalt certainty --by reward` measured."""


@dataclasses.dataclass(frozen=True)
class Model:
    """One model: its evaluations, one a training seed.

    Attributes:
        label: its name with its τ, `DPO τ=0.5`; known by it everywhere behind the design.
        ancestors: labels of the evaluated models that its training started from, the nearest first; never base.
        assumed: whether its ancestor is assumed, because nothing says what its training started from.
    """

    label: str
    name: str
    role: Role
    threshold: float | None
    evaluations: tuple[Evaluation, ...]
    ancestors: tuple[str, ...] = ()
    assumed: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """Its training seeds, in the order of its evaluations."""
        return tuple(one.seed for one in self.evaluations)

    @property
    def is_base(self) -> bool:
        """Whether it is the untrained model that the others are compared with."""
        return self.role == "base"


class Contrast(NamedTuple):
    """A comparison of two models, by their labels.

    Attributes:
        tested: what is tested where it is planned, `correctness` or `utility` (at the model's own τ); else nothing.
    """

    model: str
    versus: str
    tested: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Design:
    """What is compared with what.

    Attributes:
        models: base first, then supervised and trained models, later trainings behind those they started from.
        thresholds: every τ that a utility is given at: those asked for and those trained at.
        prompts: of each decoding, the keys of the prompts in their order.
        contrasts: see the module.
        halting: of the domain.
        seed: of the bootstrap, and of the halves that calibrations are fitted on.
        resamples: of the bootstrap.
        notes: what had to be inferred or assumed, one sentence each.
        cut_by: the confidence that every model + cut is cut by, see `rlhalt.evaluation.cut`.
    """

    models: tuple[Model, ...]
    thresholds: tuple[float, ...]
    prompts: Mapping[str, Sequence[str]]
    contrasts: tuple[Contrast, ...]
    halting: Halting
    seed: int
    resamples: int
    notes: tuple[str, ...] = ()
    cut_by: CutBy = "token_probability"

    @property
    def base(self) -> Model:
        """The untrained model."""
        return self.models[0]

    @property
    def others(self) -> tuple[Model, ...]:
        """Every model but base."""
        return self.models[1:]

    @property
    def decodings(self) -> list[str]:
        """`greedy`, `sampled`, or the one of them that the folders hold."""
        return list(self.prompts)

    @property
    def every_prompt(self) -> list[str]:
        """The keys of all prompts: one may have been answered under one decoding alone."""
        return list(dict.fromkeys(key for keys in self.prompts.values() for key in keys))

    @property
    def middle(self) -> float:
        """The τ nearest ½, where only one is shown."""
        return min(self.thresholds, key=lambda t: abs(t - 0.5))

    def model(self, label: str) -> Model:
        """A model by its label."""
        return next(one for one in self.models if one.label == label)

    def own_threshold(self, model: Model) -> float:
        """The τ at which a model is tested: the one it was trained at, or else the one nearest ½."""
        return self.middle if model.threshold is None else model.threshold

    def weights(self, model: Model, n_prompts: int) -> Floats:
        """Bootstrap weights over the seeds and prompts of a model, shape (1 + resamples, seeds × prompts).

        Prompts are drawn alike for all models, and seeds alike for all models with the same seeds: models are paired.
        """
        seeds = seed_weights(model.seeds, self.seed, self.resamples)
        return crossed(seeds, weights(n_prompts, self.seed, self.resamples))

    def first_half(self) -> dict[str, bool]:
        """Of each prompt, by its key, whether it is in the first of the two halves that calibrations are fitted on."""
        keys = self.every_prompt
        return dict(zip(keys, halves(len(keys), self.seed).tolist(), strict=True))


def design(
    evaluations: Sequence[Evaluation],
    thresholds: Sequence[float],
    seed: int,
    resamples: int,
    cut_by: CutBy = "token_probability",
) -> Design:
    """The design of the comparison of these evaluations.

    Args:
        thresholds: the τ at which utilities are given, besides those the models were trained at.

    Raises:
        InputError: none of them or several models are base, one evaluation is there twice, or they may not be compared
            (`rlhalt.evaluation.protocol`).
    """
    models = _models(evaluations)
    prompts = comparable([one for model in models for one in model.evaluations])
    at = {one.threshold for one in models if one.threshold is not None}
    return Design(
        models=models,
        thresholds=tuple(sorted({*thresholds, *at})),
        prompts=prompts,
        contrasts=tuple(contrasts(models)),
        halting=models[0].evaluations[0].halting,
        seed=seed,
        resamples=resamples,
        notes=tuple(_notes(models)),
        cut_by=cut_by,
    )


def contrasts(models: Sequence[Model]) -> list[Contrast]:
    """Which models are compared, planned comparisons and others, see the module.

    Not planned, but shown: every model less a supervised one that others were trained from, and models that were
    trained at the same τ, the later less the earlier.

    Args:
        models: in their order, base first.
    """
    base, *others = models
    labels = [one.label for one in others]
    starts = {label for one in others for label in one.ancestors}
    supervised = [one.label for one in others if one.role == "supervised" and one.label in starts]
    against_base = {(label, base.label): ("correctness", "utility") for label in labels}
    started = {(one.label, versus): ("utility",) for one in others for versus in one.ancestors}
    same = [
        (later.label, earlier.label)
        for earlier, later in itertools.combinations(others, 2)
        if later.threshold is not None and later.threshold == earlier.threshold
    ]
    beside = [(label, versus) for versus in supervised for label in labels if label != versus]
    planned: dict[tuple[str, str], tuple[str, ...]] = {**against_base, **started}
    # The later one of two less the earlier one, however they are come by.
    turned = {(versus, label) for label, versus in planned}
    ordered = dict.fromkeys([*against_base, *beside, *started, *same])
    return [Contrast(*pair, planned.get(pair, ())) for pair in ordered if pair not in turned]


def _models(evaluations: Sequence[Evaluation]) -> tuple[Model, ...]:
    groups: dict[str, list[Evaluation]] = defaultdict(list)
    for one in sorted(evaluations, key=lambda one: (one.label, one.seed)):
        if any(other.seed == one.seed for other in groups[one.label]):
            raise InputError(f"a second evaluation of {one.label}, seed {one.seed}; give each once", path=one.folder)
        if any(other.role != one.role for other in groups[one.label]):
            raise InputError(
                f"expected one role for all seeds of {one.label}, found {one.role} and {groups[one.label][0].role}",
                path=one.folder / "run.json",
                field="role",
            )
        groups[one.label].append(one)
    bases = [label for label, group in groups.items() if group[0].role == "base"]
    if len(bases) != 1:
        found = ", ".join(bases or groups) or "no evaluation at all"
        raise InputError(
            f"expected one model with the role base, found {found}; evaluate the untrained model too, or say which "
            "one it is: rlhalt evaluate --role base"
        )
    made = [Model(label, its[0].name, its[0].role, its[0].threshold, tuple(its)) for label, its in groups.items()]
    made = [_with_ancestors(one, made) for one in made]
    return tuple(sorted(made, key=_place))


def _place(model: Model) -> tuple[int, int, str, float]:
    return ROLES.index(model.role), len(model.ancestors), model.name, model.threshold or 0


def _with_ancestors(model: Model, models: Sequence[Model]) -> Model:
    """A model with the evaluated models that it was trained from; assumed where nothing tells, and one alone can be."""
    if model.is_base:
        return model
    told = [identity for one in model.evaluations for identity in one.started_from]
    found: list[str] = []
    for identity in dict.fromkeys(told):
        its = [
            other
            for other in models
            if other is not model and not other.is_base
            if any(one.identity == identity and not one.decoded for one in other.evaluations)
        ]
        # A model that reads τ in its prompts is there once for each τ: what started from it is compared at its own.
        found += [one.label for one in its if one.threshold == model.threshold] or [one.label for one in its]
    if found or told or model.role == "supervised":
        return dataclasses.replace(model, ancestors=tuple(dict.fromkeys(found)))
    supervised = [one.label for one in models if one.role == "supervised"]
    if len(supervised) != 1:
        return model
    return dataclasses.replace(model, ancestors=tuple(supervised), assumed=True)


def _notes(models: Sequence[Model]) -> list[str]:
    found = []
    untold = [one.label for one in models if not all(each.role_told for each in one.evaluations)]
    if untold:
        found.append(
            f"The roles of {', '.join(untold)} are inferred from their names, because their folders were written "
            f"before roles were: base is {models[0].label}."
        )
    if assumed := [one for one in models if one.assumed]:
        found.append(
            f"Nothing says what {', '.join(one.label for one in assumed)} started from: {assumed[0].ancestors[0]}, the "
            "only supervised model, is taken for it."
        )
    return found
