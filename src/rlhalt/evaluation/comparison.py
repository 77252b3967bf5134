"""Models side by side on the same held-out prompts.

    evaluation folders ─ load ─► Evaluation ─ compare ─► Comparison ─ write ─► metrics.json, table.md, …

An evaluation folder holds one model of one seed. Folders with the same name and threshold are one model, trained with
several seeds: its values are the means over seeds, each seed's own are kept beside them. `base`, the untrained model
with few-shot examples, is what the others are measured against.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhalt.credit import Halting
from rlhalt.errors import InputError
from rlhalt.evaluation.baselines import Baseline, baselines, recalibrations
from rlhalt.evaluation.bootstrap import RESAMPLES, Estimate, Floats, estimate, weights
from rlhalt.evaluation.calibration import Calibration, calibrate
from rlhalt.evaluation.differences import Difference as Difference
from rlhalt.evaluation.differences import Side, contrasts, corrected, difference
from rlhalt.evaluation.elsewhere import Elsewhere, elsewhere
from rlhalt.evaluation.general import General, load_general
from rlhalt.evaluation.judged import Judged, decided
from rlhalt.evaluation.metrics import PromptCounts, by_prompt, count, measure, median_claims, per_prompt, pool, utility
from rlhalt.evaluation.protocol import comparable
from rlhalt.evaluation.sources import BY, Source, sources
from rlhalt.evaluation.speaking import Speaking, speaking, statements
from rlhalt.records import Certainty, Confidence, Continuation, Json, Scored, read
from rlhalt.runs import earlier, earlier_config

THRESHOLDS = (0.3, 0.5, 0.8)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One evaluation folder: what one model of one training seed did on the held-out prompts.

    Attributes:
        threshold: the τ it was trained at, None where training knows none.
        halting: what the domain's verdicts count for, see `rlhalt.credit.counted`.
        fragmenter: what split the responses, None where their run does not tell.
        budget: what the model that judged them might spend, None where none was asked or their run does not tell.
        confidence, continuation: by the key of the scored response; continuation is empty where the file is missing.
        general: what it does outside of its domain; None where that was not measured.
        certainty: `ccp` and `stated`, those that were measured: by the key of the response one number a fragment.
    """

    folder: Path
    name: str
    threshold: float | None
    seed: int
    model: str
    few_shot: bool
    halting: Halting
    fragmenter: str | None
    budget: Json | None
    seconds: float
    scored: list[Scored]
    confidence: dict[str, Confidence]
    continuation: dict[str, Continuation]
    certainty: dict[str, dict[str, list[float]]]
    general: General | None

    @property
    def label(self) -> str:
        """What it is called: `base`, `SFT`, `DPO τ=0.5`."""
        return self.name if self.threshold is None else f"{self.name} τ={self.threshold:g}"

    def rows(self, decoding: str) -> list[Scored]:
        """The `greedy` (temperature 0) or the `sampled` responses."""
        return [row for row in self.scored if (row.sampler["temperature"] == 0) == (decoding == "greedy")]


def load(folder: str | Path) -> Evaluation:
    """Read an evaluation folder.

    Raises:
        InputError: naming file, row and field, where something is missing or malformed, or where a scored response has
            no confidence, or not one for each fragment.
    """
    folder = Path(folder)
    run = _run(folder / "run.json")
    path = folder / "scored.jsonl"
    scored = list(read(path, Scored))
    if not scored:
        raise InputError("expected scored responses, found none; evaluate this model again", path=path)
    confidence = {row.key: row for row in read(folder / "confidence.jsonl", Confidence)}
    for number, row in enumerate(scored, start=1):
        if not isinstance(row.sampler.get("temperature"), int | float):
            raise InputError("expected a temperature, found none", path=path, row=number, field="sampler")
        given = confidence.get(row.key)
        if given is None:
            raise InputError(f"no confidence for response {row.key}", path=folder / "confidence.jsonl")
        if not len(given.token_probability) == len(given.halt_probability) == len(row.fragments):
            raise InputError(
                f"expected {len(row.fragments)} numbers for the fragments of {row.key}, found "
                f"{len(given.token_probability)} token and {len(given.halt_probability)} halt probabilities",
                path=folder / "confidence.jsonl",
            )
        if given.token_minimum is not None and len(given.token_minimum) != len(row.fragments):
            raise InputError(
                f"expected {len(row.fragments)} numbers for the fragments of {row.key}, found "
                f"{len(given.token_minimum)} least token probabilities",
                path=folder / "confidence.jsonl",
            )
    spoken = folder / "continuation.jsonl"
    return Evaluation(
        folder=folder,
        **run,
        fragmenter=earlier_config(path).get("fragmenter"),
        budget=earlier(path).get("budget"),
        scored=scored,
        confidence=confidence,
        continuation={row.key: row for row in read(spoken, Continuation)} if spoken.is_file() else {},
        certainty={by: found for by in BY if (found := _certainty(folder / f"{by}.jsonl", scored))},
        general=load_general(folder / "general.json"),
    )


def _certainty(path: Path, scored: Sequence[Scored]) -> dict[str, list[float]]:
    """What `rlhalt certainty` measured of these responses; empty where it was not asked to."""
    if not path.is_file():
        return {}
    found = {row.key: row.certainty for row in read(path, Certainty)}
    for row in scored:
        numbers = len(found.setdefault(row.key, []))
        if numbers != len(row.fragments):
            raise InputError(
                f"expected {len(row.fragments)} numbers for the fragments of {row.key}, found {numbers}; "
                "measure it again: rlhalt certainty",
                path=path,
            )
    return found


def _run(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("expected an evaluation folder with a run.json, found none", path=path) from None
    except ValueError as error:
        raise InputError(f"expected JSON, found {error}", path=path) from None
    expected: dict[str, tuple[type, ...]] = {
        "name": (str,),
        "threshold": (float, int, type(None)),
        "seed": (int,),
        "model": (str,),
        "few_shot": (bool,),
        "halting": (str,),
        "seconds": (float, int),
    }
    for field, types in expected.items():
        if not isinstance(data, dict) or field not in data:
            raise InputError("expected this field, found none", path=path, field=field)
        if not isinstance(data[field], types):
            raise InputError(f"found {data[field]!r}, which is of another type", path=path, field=field)
    return {field: data[field] for field in expected}


# What comes later is held against what comes before it, and stands for the rest where there is room for one.
ORDER = (
    *("base", "SFT", "reference", "absolute", "confidence-num", "confidence-verb", "multisample", "idk", "unit"),
    *("random-trim", "halt", "halt-odds", "decisions", "dial", "DPO", "GRPO"),
)


@dataclasses.dataclass(frozen=True)
class Metrics:
    """One model under one decoding.

    Attributes:
        decoding: `greedy` or `sampled`.
        estimates: the measures of `metrics.DEFINITIONS` by name.
        utility: the mean τ-utility a response by τ, for every τ, not only the one the model was trained at.
        n_over_abstention: endings that `over_abstention` is a share of, all seeds together.
        k: the K of `f1_at_k`: the median number of claims of base's responses.
        by_seed: every measure of each seed; utilities are called `utility@τ`.
    """

    model: str
    name: str
    threshold: float | None
    decoding: str
    domain: str
    n_prompts: int
    seeds: tuple[int, ...]
    estimates: dict[str, Estimate]
    utility: dict[float, Estimate]
    n_over_abstention: int
    k: float | None
    by_seed: dict[int, dict[str, float | None]]

    def __getitem__(self, measure: str) -> Estimate:
        return self.estimates[measure]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All that is to be said about the models, numbers only.

    Attributes:
        thresholds: every τ that a utility is given at: those asked for and those trained at.
        metrics: in `ORDER`, other names behind it, each by τ; greedy before sampled.
        calibrations: both confidences of every model.
        sources: every source of confidence of every model, measured or not.
        recalibrations: those of base, recalibrated.
        baselines: base saying only what it is then sure of.
        speaking: which of base's statements every trained model makes too; none in a causal domain.
        elsewhere: what the models that were measured do outside of their domain.
        resamples: bootstrap resamples.
        seed: of the bootstrap and of the halves that recalibration is fitted on.
    """

    thresholds: tuple[float, ...]
    metrics: list[Metrics]
    differences: list[Difference]
    calibrations: list[Calibration]
    sources: list[Source]
    recalibrations: list[Calibration]
    baselines: list[Baseline]
    speaking: list[Speaking]
    elsewhere: list[Elsewhere]
    resamples: int
    seed: int

    @property
    def models(self) -> list[str]:
        """The labels, in order."""
        return list(dict.fromkeys(one.model for one in self.metrics))

    @property
    def decodings(self) -> list[str]:
        """`greedy`, `sampled`, or the one of them that the folders hold."""
        return list(dict.fromkeys(one.decoding for one in self.metrics))

    def get(self, model: str, decoding: str) -> Metrics:
        """The metrics of one model under one decoding."""
        return next(one for one in self.metrics if (one.model, one.decoding) == (model, decoding))

    def difference(self, model: str, versus: str, decoding: str) -> Difference | None:
        """The paired difference, None where it was not asked."""
        wanted = (model, versus, decoding)
        return next((one for one in self.differences if (one.model, one.versus, one.decoding) == wanted), None)


def compare(
    evaluations: Sequence[Evaluation],
    thresholds: Sequence[float] = THRESHOLDS,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Measure every model, its differences from base and from SFT, and its calibration.

    Args:
        thresholds: the τ at which utilities are given, besides those the models were trained at.
        seed: of the bootstrap, and of the halves that recalibration is fitted on.

    Raises:
        InputError: none is called base, one is there twice, or they may not be compared, see `protocol`.
    """
    groups = _groups(evaluations)
    trained_at = {one.threshold for one in evaluations if one.threshold is not None}
    all_thresholds = tuple(sorted(set(thresholds) | trained_at))
    prompt_keys = comparable(evaluations)
    found = [_under(groups, decoding, keys, all_thresholds, seed, resamples) for decoding, keys in prompt_keys.items()]
    # A prompt may have been answered under one decoding alone.
    every = list(dict.fromkeys(key for keys in prompt_keys.values() for key in keys))
    drawn = weights(len(every), seed, resamples)
    position = {key: place for place, key in enumerate(every)}
    sure = {label: _decided(group, position) for label, group in groups.items()}
    return Comparison(
        thresholds=all_thresholds,
        metrics=[one for metrics, _, _ in found for one in metrics],
        differences=corrected([one for _, differences, _ in found for one in differences]),
        calibrations=[calibrate(label, name, its, drawn) for label, by in sure.items() for name, its in by.items()],
        sources=[one for label, group in groups.items() for one in sources(label, group, position, drawn)],
        recalibrations=recalibrations("base", sure["base"], drawn, seed),
        baselines=[one for _, _, cut in found for one in cut],
        speaking=[
            one for decoding, keys in prompt_keys.items() for one in _speaking(groups, decoding, keys, seed, resamples)
        ],
        elsewhere=elsewhere(groups, seed, resamples),
        resamples=resamples,
        seed=seed,
    )


def _under(
    groups: Mapping[str, Sequence[Evaluation]],
    decoding: str,
    keys: Sequence[str],
    thresholds: Sequence[float],
    seed: int,
    resamples: int,
) -> tuple[list[Metrics], list[Difference], list[Baseline]]:
    """Everything that is measured under one decoding."""
    drawn = weights(len(keys), seed, resamples)
    base = groups["base"]
    wanted = median_claims((row for one in base for row in one.rows(decoding)), base[0].halting)
    counts = {
        label: {one.seed: _counts(one, decoding, keys, wanted) for one in group} for label, group in groups.items()
    }
    pooled = {label: pool(list(seeds.values())) for label, seeds in counts.items()}
    draws = {label: _draws(one, pooled["base"], drawn, thresholds) for label, one in pooled.items()}
    metrics = [
        Metrics(
            model=label,
            name=group[0].name,
            threshold=group[0].threshold,
            decoding=decoding,
            domain=", ".join(sorted({row.domain for one in group for row in one.scored})),
            n_prompts=len(keys),
            seeds=tuple(counts[label]),
            estimates={name: estimate(d) for name, d in draws[label].items() if not name.startswith("utility@")},
            utility={t: estimate(draws[label][f"utility@{t:g}"]) for t in thresholds},
            n_over_abstention=_endings(group, decoding),
            k=wanted,
            by_seed={
                seed: _values(_draws(one, pooled["base"], drawn[:1], thresholds)) for seed, one in counts[label].items()
            },
        )
        for label, group in groups.items()
    ]
    sides = {label: Side(label, draws[label], by_prompt(one, thresholds)) for label, one in pooled.items()}
    trained_at = {label: group[0].threshold for label, group in groups.items()}
    differences = [
        difference(sides[label], sides[versus], decoding, thresholds) for label, versus in contrasts(trained_at)
    ]
    cut = baselines(
        _answered(groups["base"], decoding),
        decoding,
        keys,
        groups["base"][0].halting,
        pooled["base"],
        {label: its for label, its in draws.items() if label != "base"},
        drawn,
        thresholds,
        seed,
    )
    return metrics, differences, cut


def _speaking(
    groups: Mapping[str, Sequence[Evaluation]], decoding: str, keys: Sequence[str], seed: int, resamples: int
) -> list[Speaking]:
    """What every trained model says of what base said."""
    if groups["base"][0].halting == "causal":
        return []
    made = statements(_answered(groups["base"], decoding), keys, seed)
    drawn = weights(len(keys), seed, resamples)
    return [
        speaking(
            label, decoding, group[0].threshold, made, [row for one in group for row in one.rows(decoding)], keys, drawn
        )
        for label, group in groups.items()
        if label != "base"
    ]


def _answered(group: Sequence[Evaluation], decoding: str) -> list[tuple[Scored, Confidence]]:
    return [(row, one.confidence[row.key]) for one in group for row in one.rows(decoding)]


def _groups(evaluations: Sequence[Evaluation]) -> dict[str, list[Evaluation]]:
    """The evaluations of each label by seed; labels in the order they are shown."""
    groups: dict[str, list[Evaluation]] = defaultdict(list)

    def place(one: Evaluation) -> tuple[int, str, float, int]:
        known = ORDER.index(one.name) if one.name in ORDER else len(ORDER)
        return known, one.name, one.threshold or 0, one.seed

    for one in sorted(evaluations, key=place):
        if any(other.seed == one.seed for other in groups[one.label]):
            raise InputError(f"a second evaluation of {one.label}, seed {one.seed}; give each once", path=one.folder)
        groups[one.label].append(one)
    if "base" not in groups:
        found = ", ".join(groups) or "no evaluation at all"
        raise InputError(f"one evaluation must be called base, found {found}; evaluate the untrained model too")
    return dict(groups)


def _counts(one: Evaluation, decoding: str, keys: Sequence[str], wanted: float | None) -> PromptCounts:
    # Base ends where base ends: there is no going on to compare with.
    continuations = None if one.name == "base" else one.continuation
    return per_prompt(one.rows(decoding), keys, continuations, one.halting, wanted)


def _endings(group: Sequence[Evaluation], decoding: str) -> int:
    """How many endings `over_abstention` is a share of."""
    trained = [one for one in group if one.name != "base"]
    return int(
        sum(
            count(row, one.continuation.get(row.key), one.halting).continued
            for one in trained
            for row in one.rows(decoding)
        )
    )


def _draws(counts: PromptCounts, base: PromptCounts, weights: Floats, thresholds: Sequence[float]) -> dict[str, Floats]:
    utilities = {f"utility@{t:g}": utility(counts, weights, t) for t in thresholds}
    return measure(counts, base, weights) | utilities


def _values(draws: Mapping[str, Floats]) -> dict[str, float | None]:
    return {name: estimate(one).value for name, one in draws.items()}


def _decided(group: Sequence[Evaluation], position: Mapping[str, int]) -> dict[str, Judged]:
    """The decided fragments of all responses of one model, by the confidence in them."""
    return decided([(row, one.confidence[row.key]) for one in group for row in one.scored], position)
