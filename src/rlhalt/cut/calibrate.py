"""Fit the probability that a fragment is right, on labelled prompts that the model was not trained on.

The folder holds, beside `calibration.json`, what it was made of, so that a run resumes:

    responses-0.jsonl scored-0.jsonl       of temperature 0, one response per prompt
    responses-0.7.jsonl scored-0.7.jsonl   of temperature 0.7
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rlhalt.contamination import refuse_leakage
from rlhalt.cut.calibration import FILE, By, Calibration, Fit, shown, write
from rlhalt.cut.confidence import confidences
from rlhalt.cut.probability import MethodName, fitted
from rlhalt.cut.promise import promises
from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import estimate, weights
from rlhalt.evaluation.calibration import ece, equal_width
from rlhalt.evaluation.confidence_arrays import Judged, judged
from rlhalt.evaluation.cross_fitting import halves
from rlhalt.evaluation.selective_prediction import auroc
from rlhalt.files.locks import locked
from rlhalt.files.provenance import Run, already_done
from rlhalt.fragments.halting_phrase import named
from rlhalt.models.names import identity
from rlhalt.records import Json, Prompt, Scored, read
from rlhalt.reward_model.folder import read_description, reward_identity
from rlhalt.sampling import Settings, sample
from rlhalt.score_file import score_file
from rlhalt.scoring import Scorer

THRESHOLDS = (0.3, 0.5, 0.8, 0.95)


def calibrate(
    settings: Settings,
    prompts: Sequence[Prompt],
    scorer: Scorer,
    folder: str | Path,
    *,
    temperatures: Sequence[float] = (0.0,),
    by: By = "token_probability",
    method: MethodName = "platt",
    reward_model: str = "",
) -> Path:
    """Sample, score and fit; write `calibration.json` into a folder. Returns its path.

    Args:
        settings: how the model is asked; `responses` of each prompt at a temperature above 0, one at 0.
        prompts: labelled prompts that the model was not trained on. They are used up by this: evaluate on others.
        temperatures: each gets a map of its own.
        by: the confidence.
        method: the map.
        reward_model: by `reward`, the folder of a reward model of this domain.

    Raises:
        InputError: prompts that the model or the reward model was trained on, or fewer than 30 decided fragments; see
            `sample`, `score_file` and `rlhalt.reward_model.folder.read_description`.
        TooManyFailures: see `score_file`.
    """
    folder = Path(folder)
    refuse_leakage(settings.model, prompts)
    if (by == "reward") != bool(reward_model):
        expected = "the folder of a reward model, found none" if by == "reward" else f"none, found one with --by {by}"
        raise InputError(f"expected {expected}", field="--reward-model")
    rewarding: Json = {}
    if reward_model:
        read_description(reward_model).refuse_others(scorer, reward_model)
        refuse_leakage(reward_model, prompts)
        rewarding = {"reward_identity": reward_identity(reward_model)}
    config = {
        **settings.described(),
        "temperatures": list(temperatures),
        "by": by,
        "method": method,
        "scorer": scorer.fingerprint,
        **named(scorer.phrase),
        "prompts": [one.key for one in prompts],
        **rewarding,
    }
    run = Run("calibrate", folder, config=config)
    if run.finished:
        already_done(folder)
        return folder / FILE
    scorer.check_judge()
    with locked(folder), run:
        fits = [_fit(settings, at, prompts, scorer, folder, by, method, reward_model) for at in temperatures]
        found = Calibration(
            identity(settings.model), scorer.domain, scorer.fragmenter, scorer.verifier.name, by,
            [one.key for one in prompts], shown(settings.few_shot), settings.template_args, settings.max_tokens, fits,
            reward_model, **rewarding,
        )  # fmt: skip
        write(folder / FILE, found)
        run.result(fragments=sum(one.n_fragments for one in fits))
    return folder / FILE


def _fit(
    settings: Settings,
    temperature: float,
    prompts: Sequence[Prompt],
    scorer: Scorer,
    folder: Path,
    by: By,
    method: MethodName,
    reward_model: str,
) -> Fit:
    drawn = dataclasses.replace(settings, temperature=temperature, responses=settings.responses if temperature else 1)
    scored = folder / f"scored-{temperature:g}.jsonl"
    score_file(sample(prompts, drawn, folder / f"responses-{temperature:g}.jsonl"), scorer, scored)
    rows = list(read(scored, Scored))
    sure = confidences(
        by, settings.model, rows, scorer, settings.few_shot, settings.template_args, settings.max_tokens, reward_model
    )
    position = {one.key: place for place, one in enumerate(prompts)}
    found = fit(temperature, decided(rows, sure, position), len(prompts), method)
    return dataclasses.replace(found, promises=promises(rows, sure, found.probability))


def decided(rows: Sequence[Scored], sure: Sequence[Sequence[float]], position: dict[str, int]) -> Judged:
    """The correct and incorrect fragments of responses, with the confidence in each.

    Args:
        position: of each prompt, by its key.
    """
    found = [
        (confidence, one.label == "correct", position[row.prompt_key])
        for row, its in zip(rows, sure, strict=True)
        for one, confidence in zip(row.fragments, its, strict=True)
        if one.label in ("correct", "incorrect")
    ]
    return judged([one for one, _, _ in found], [one for _, one, _ in found], [one for _, _, one in found])


def fit(temperature: float, fragments: Judged, n_prompts: int, method: MethodName, seed: int = 0) -> Fit:
    """The map of one temperature, with its errors on prompts that it was not fitted on (two halves, cross-fitted).

    Raises:
        InputError: fewer than 30 decided fragments.
    """
    whole = fitted(method, fragments.confidence, fragments.correct)
    drawn = weights(n_prompts, seed)
    crossed = _crossed(fragments, halves(n_prompts, seed), method)
    known = np.isfinite(crossed)
    after = Judged(crossed[known], fragments.correct[known], fragments.prompt[known])

    def error(its: Judged) -> dict[str, float | None]:
        return dataclasses.asdict(estimate(ece(its, drawn, equal_width()))) if its.confidence.size else _UNKNOWN

    def accuracy(threshold: float) -> float | None:
        spoken = after.confidence >= threshold
        return float(after.correct[spoken].mean()) if spoken.any() else None

    return Fit(
        temperature=temperature,
        probability=whole,
        n_fragments=len(fragments.confidence),
        n_correct=int(fragments.correct.sum()),
        accuracy_at={f"{one:g}": accuracy(one) for one in THRESHOLDS},
        ece_before=error(fragments),
        ece_after=error(after),
        auroc=dataclasses.asdict(estimate(auroc(fragments, drawn))),
    )


_UNKNOWN: dict[str, float | None] = {"value": None, "low": None, "high": None}


def _crossed(fragments: Judged, first: npt.NDArray[np.bool_], method: MethodName) -> npt.NDArray[np.float64]:
    """The probability of each fragment by the map of the other half; NaN where that half has too few fragments."""
    found = np.full(len(fragments.confidence), np.nan)
    inside = first[fragments.prompt]
    for half in (inside, ~inside):
        try:
            other = fitted(method, fragments.confidence[~half], fragments.correct[~half])
        except InputError:
            continue
        found[half] = other(fragments.confidence[half])
    return found
