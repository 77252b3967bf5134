"""Models side by side on the same held-out prompts.

    folders ─ folder.load ─► Evaluation ─ design ─► Design ─ arms ─► Arm ─► Comparison ─ output.write ─► files

An evaluation folder holds one model of one seed. Folders with the same name and threshold are one model, trained with
several seeds: its values are the means over seeds, each seed's own are kept beside them. The model whose role is base,
untrained and with few-shot examples, is what the others are measured against.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rlhalt.evaluation.arms import BY_THRESHOLD, Arm, arms
from rlhalt.evaluation.bootstrap import RESAMPLES, Estimate, estimate
from rlhalt.evaluation.calibration import Calibration, calibrate
from rlhalt.evaluation.confidence_arrays import Judged, decided, joined
from rlhalt.evaluation.confidence_sources import Source, sources
from rlhalt.evaluation.counts import continued
from rlhalt.evaluation.cut import Calibrator
from rlhalt.evaluation.design import CutBy, Design, Model, design
from rlhalt.evaluation.differences import Difference as Difference
from rlhalt.evaluation.differences import differences
from rlhalt.evaluation.elsewhere import Elsewhere, elsewhere
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.metrics import DEFINITIONS
from rlhalt.evaluation.relations import RelationCounts, by_relation
from rlhalt.evaluation.roles import Role
from rlhalt.evaluation.switch_point import Speaking, speaking, statements
from rlhalt.judge_doubts import JudgeDoubts

THRESHOLDS = (0.3, 0.5, 0.8)


@dataclasses.dataclass(frozen=True)
class Metrics:
    """One model under one decoding.

    Attributes:
        decoding: `greedy` or `sampled`.
        estimates: the measures of `metrics.DEFINITIONS` by name.
        utility, utility_cut, utility_strict, share, share_own: by τ, for every τ, not only the one the model was
            trained at, see `arms.BY_THRESHOLD`.
        cut_curve: the utility of the model + cut over τ, see `arms.CURVE`; empty where there is no model + cut.
        no_cut: why there is no model + cut, empty where there is one.
        n_over_abstention: endings that `over_abstention` is a share of, all seeds together.
        k: the K of `f1_at_k`: the median number of claims of base's responses.
        by_seed: every measure of each seed; those at each τ are called `utility@τ` and so on.
    """

    model: str
    name: str
    role: Role
    threshold: float | None
    decoding: str
    domain: str
    n_prompts: int
    seeds: tuple[int, ...]
    estimates: dict[str, Estimate]
    utility: dict[float, Estimate]
    utility_cut: dict[float, Estimate]
    utility_strict: dict[float, Estimate]
    share: dict[float, Estimate]
    share_own: dict[float, Estimate]
    cut_curve: dict[float, float]
    no_cut: str
    n_over_abstention: int
    k: float | None
    by_seed: dict[int, dict[str, float | None]]

    def __getitem__(self, measure: str) -> Estimate:
        return self.estimates[measure]


@dataclasses.dataclass(frozen=True)
class Cut:
    """One model + cut at one τ, see `rlhalt.evaluation.cut`.

    Attributes:
        gain: its utility at τ less that of the same model as it is.
        best_other: the other model + cut with the highest utility at τ, chosen by this result; None without another.
        beyond_best: its utility less that one's, paired. The choice favours the other.
    """

    model: str
    decoding: str
    threshold: float
    right: Estimate
    wrong: Estimate
    correctness: Estimate
    completeness: Estimate
    utility: Estimate
    gain: Estimate
    best_other: str | None
    beyond_best: Estimate


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All that is to be said about the models, numbers only.

    Attributes:
        design: what is compared with what.
        arms: what was counted, by label and decoding.
        metrics: in the order of the design; greedy before sampled.
        cuts: every model + cut, under every decoding, at every τ.
        calibrators: the maps that they are cut by.
        calibrations: both confidences of every model.
        sources: every source of confidence of every model, measured or not.
        recalibrations: the probabilities that models are cut by, all decodings together.
        speaking: which of base's statements every trained model makes too; none in a causal domain.
        relations: right and wrong facts by relation, where the verdicts tell it.
        elsewhere: what the models that were measured do outside of their domain.
        untrained: models that could not be evaluated, by their labels, and why: `not trained: …`.
        doubted: why the verdicts themselves are in doubt, a sentence; empty where they are not.
    """

    design: Design
    arms: Mapping[tuple[str, str], Arm] = dataclasses.field(repr=False)
    metrics: list[Metrics]
    differences: list[Difference]
    cuts: list[Cut]
    calibrators: list[Calibrator]
    calibrations: list[Calibration]
    sources: list[Source]
    recalibrations: list[Calibration]
    speaking: list[Speaking]
    relations: list[RelationCounts]
    elsewhere: list[Elsewhere]
    untrained: Mapping[str, str] = dataclasses.field(default_factory=dict)
    doubted: str = ""

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Every τ that a utility is given at."""
        return self.design.thresholds

    @property
    def models(self) -> list[str]:
        """The labels, in order."""
        return [one.label for one in self.design.models]

    @property
    def base(self) -> str:
        """The label of the untrained model."""
        return self.design.base.label

    @property
    def decodings(self) -> list[str]:
        """`greedy`, `sampled`, or the one of them that the folders hold."""
        return self.design.decodings

    def get(self, model: str, decoding: str) -> Metrics:
        """The metrics of one model under one decoding."""
        return next(one for one in self.metrics if (one.model, one.decoding) == (model, decoding))

    def difference(self, model: str, versus: str, decoding: str) -> Difference | None:
        """The paired difference, None where it was not asked."""
        wanted = (model, versus, decoding)
        return next((one for one in self.differences if (one.model, one.versus, one.decoding) == wanted), None)

    def less_base_cut(self, model: str, decoding: str, threshold: float) -> Estimate:
        """The utility of a model as it is, less that of base + cut, paired: what training has to beat."""
        name, base = f"utility@{threshold:g}", self.arms[self.base, decoding]
        if not base.cut:
            return Estimate(None)
        return estimate(self.arms[model, decoding].draws[name] - base.cut_draws[threshold][name])

    def cut(self, model: str, decoding: str, threshold: float) -> Cut | None:
        """One model + cut, None where there is nothing to cut by."""
        wanted = (model, decoding, threshold)
        return next((one for one in self.cuts if (one.model, one.decoding, one.threshold) == wanted), None)


def compare(
    evaluations: Sequence[Evaluation],
    thresholds: Sequence[float] = THRESHOLDS,
    seed: int = 0,
    resamples: int = RESAMPLES,
    cut_by: CutBy = "token_probability",
    untrained: Mapping[str, str] | None = None,
) -> Comparison:
    """Measure every model as it is and + cut, the differences of the design, and calibration.

    Args:
        thresholds: the τ at which utilities are given, besides those the models were trained at.
        seed: of the bootstrap, and of the halves that calibrations are fitted on.
        cut_by: the confidence that every model + cut is cut by.
        untrained: models that could not be evaluated, by their labels, and why; each has a row without numbers.

    Raises:
        InputError: none is base, one is there twice, or they may not be compared, see `design`.
    """
    missing = untrained or {}
    plan = design(evaluations, thresholds, seed, resamples, cut_by)
    notes = [f"{name} is left out ({why})." for name, why in missing.items()]
    doubted = _doubted(plan)
    plan = dataclasses.replace(plan, notes=(*plan.notes, *notes, *([doubted] if doubted else [])))
    measured = arms(plan)
    every = {key: place for place, key in enumerate(plan.every_prompt)}
    sure = {one.label: _decided(one, every) for one in plan.models}
    drawn = {one.label: plan.weights(one, len(every)) for one in plan.models}
    return Comparison(
        design=plan,
        arms=measured,
        metrics=[_metrics(plan, measured[one.label, decoding]) for decoding in plan.decodings for one in plan.models],
        differences=differences(plan, measured),
        cuts=_cuts(plan, measured),
        calibrators=[one for arm in measured.values() for one in arm.calibrated.calibrators],
        calibrations=[
            calibrate(label, name, its, drawn[label]) for label, by in sure.items() for name, its in by.items()
        ],
        sources=[one for model in plan.models for one in sources(model, every, drawn[model.label])],
        recalibrations=[_recalibrated(plan, one, measured) for one in plan.models],
        speaking=[one for decoding in plan.decodings for one in _speaking(plan, decoding)],
        relations=by_relation(plan),
        elsewhere=elsewhere(plan),
        untrained=missing,
        doubted=doubted,
    )


def _doubted(plan: Design) -> str:
    """Why the verdicts of a judge are in doubt, where they are."""
    doubts = JudgeDoubts(plan.halting)
    for model in plan.models:
        for row in (row for one in model.evaluations for row in one.scored):
            if all((one.verifier or "").startswith("judge/") for one in row.fragments if one.kind != "halt"):
                doubts.count(row)
    return " ".join(f"The judge {told}, and nothing here says which model is better." for told in doubts.told())


def _metrics(plan: Design, arm: Arm) -> Metrics:
    model, decoding = arm.model, arm.decoding
    by_threshold = {name: {t: estimate(arm.draws[f"{name}@{t:g}"]) for t in plan.thresholds} for name in BY_THRESHOLD}
    return Metrics(
        model=model.label,
        name=model.name,
        role=model.role,
        threshold=model.threshold,
        decoding=decoding,
        domain=", ".join(sorted({row.domain for one in model.evaluations for row in one.scored})),
        n_prompts=len(plan.prompts[decoding]),
        seeds=model.seeds,
        estimates={name: estimate(arm.draws[name]) for name in DEFINITIONS},
        **by_threshold,
        cut_curve=dict(arm.cut_curve),
        no_cut=arm.calibrated.missing,
        n_over_abstention=_endings(model, decoding),
        k=arm.k,
        by_seed={
            seed: {name: estimate(draws).value for name, draws in its.items()} for seed, its in arm.by_seed.items()
        },
    )


def _endings(model: Model, decoding: str) -> int:
    """How many endings `over_abstention` is a share of."""
    if model.is_base:
        return 0
    return sum(
        continued(row, one.continuation.get(row.key)) is not None
        for one in model.evaluations
        for row in one.rows(decoding)
    )


def _cuts(plan: Design, arms: Mapping[tuple[str, str], Arm]) -> list[Cut]:
    return [
        _cut(plan, arms, arms[model.label, decoding], t)
        for decoding in plan.decodings
        for model in plan.models
        if arms[model.label, decoding].cut
        for t in plan.thresholds
    ]


def _cut(plan: Design, arms: Mapping[tuple[str, str], Arm], arm: Arm, t: float) -> Cut:
    name = f"utility@{t:g}"
    beside = {
        label: other.cut_draws[t][name]
        for (label, decoding), other in arms.items()
        if decoding == arm.decoding and other.cut
    }
    draws = arm.cut_draws[t]
    others = {label: its for label, its in beside.items() if label != arm.model.label}
    best = max(others, key=lambda label: others[label][0], default=None)
    return Cut(
        model=arm.model.label,
        decoding=arm.decoding,
        threshold=t,
        **{one: estimate(draws[one]) for one in ("right", "wrong", "correctness", "completeness")},
        utility=estimate(draws[name]),
        gain=estimate(draws[name] - arm.draws[name]),
        best_other=best,
        beyond_best=Estimate(None) if best is None else estimate(draws[name] - others[best]),
    )


def _decided(model: Model, position: Mapping[str, int]) -> dict[str, Judged]:
    """The decided fragments of all responses of one model, by the confidence in them."""
    seeds = [decided([(row, one.confidence[row.key]) for row in one.scored], position) for one in model.evaluations]
    return {name: joined([its[name] for its in seeds], len(position)) for name in seeds[0]}


def _recalibrated(plan: Design, model: Model, arms: Mapping[tuple[str, str], Arm]) -> Calibration:
    """How far the probabilities that a model is cut by mean what they say, over all decodings."""
    every = {key: place for place, key in enumerate(plan.every_prompt)}
    found = []
    for decoding in plan.decodings:
        its, keys = arms[model.label, decoding].calibrated.fragments, plan.prompts[decoding]
        places = np.array([every[key] for key in keys], dtype=np.intp)
        seed, prompt = np.divmod(its.prompt, len(keys))
        found.append(Judged(its.confidence, its.correct, seed * len(every) + places[prompt]))
    return calibrate(model.label, f"{plan.cut_by}, Platt", joined(found, 0), plan.weights(model, len(every)))


def _speaking(plan: Design, decoding: str) -> list[Speaking]:
    """What every trained model says of what base said; steps of a chain are not said again in the same words."""
    if plan.halting == "causal":
        return []
    keys = plan.prompts[decoding]
    answered = [(row, one.confidence[row.key]) for one in plan.base.evaluations for row in one.rows(decoding)]
    made = statements(answered, keys, plan.first_half())
    return [
        speaking(
            one.label,
            decoding,
            one.threshold,
            made,
            [each.rows(decoding) for each in one.evaluations],
            keys,
            plan.weights(one, len(keys)),
        )
        for one in plan.others
    ]
