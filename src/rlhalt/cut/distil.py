"""The distilled cut: targets that teach a model to obey the τ in its prompt.

    system     Reliability: 0.80
    user       State five facts about Kenya.
    assistant  Kenya is in Africa. Its capital is Nairobi.        the facts with a probability of 0.80 or more

Each response of a generator is cut at several τ, and each cut response becomes a target whose prompt states that τ. The
probabilities come from a calibration of the generator; a verdict is used for nothing else. So after the calibration the
prompts need no references, and there can be as many as one likes. Fine-tuned on such targets, one model leaves out more
the higher the τ in its prompt. No training does this that draws τ and rewards or prefers at it: the number in the
prompt was ignored (docs/threshold.md).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rlhalt.chat.threshold_prompt import drawn_thresholds, with_threshold
from rlhalt.cut.calibrate import decided
from rlhalt.cut.calibration import calibration_file
from rlhalt.cut.calibration import read as read_calibration
from rlhalt.cut.probability import fitted
from rlhalt.cut.respond import Judged, probabilities
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.files.provenance import once
from rlhalt.models.names import identity
from rlhalt.records import Response, Scored, Target, content_key, read
from rlhalt.rewards import Halting
from rlhalt.training_data.pieces import finished, target, usable

STYLE = "distilled"


def distilled(rows: Iterable[Judged], halting: Halting, draws: int, phrase: str, seed: int = 0) -> Iterator[Target]:
    """Each response cut at `draws` thresholds, as targets whose prompts state τ.

    The thresholds of each response are those of `rlhalt.chat.threshold_prompt.drawn_thresholds`. A response that ran
    into the token limit loses its last fragment.

    Args:
        rows: responses with the probability of each fragment.
        draws: thresholds for each response.
        phrase: what the domain halts with.
        seed: of the thresholds.

    Raises:
        InputError: fewer than one threshold for each response.
    """
    if draws < 1:
        raise InputError(f"expected at least 1 threshold for each response, found {draws}", field="draws")
    rng = random.Random(seed)
    for one in rows:
        at = drawn_thresholds(draws, rng)
        if not usable(one.row) or not (its := _finished(one)).row.fragments:
            continue
        for threshold in at:
            made = target(its.row, its.text(threshold, halting, phrase), STYLE)
            yield dataclasses.replace(
                made,
                key=content_key(made.key, threshold),
                prompt=with_threshold(its.row.prompt, threshold),
            )


def write_distilled(
    responses: str | Path,
    model: str,
    output: str | Path,
    *,
    draws: int,
    calibration: str | Path | None = None,
    domain: str | None = None,
    seed: int = 0,
) -> None:
    """The targets of a calibrated model's own responses to training prompts, which nobody has to verify.

    Args:
        responses: JSON lines that `rlhalt sample` wrote; the calibration knows their temperature.
        model: what generated them.
        output: JSON lines of `rlhalt.records.Target`.
        calibration: the file; `calibration/calibration.json` in the model's folder if None.
        domain: the domain that was calibrated, where it is a folder; by its name if None.

    Raises:
        InputError: responses of another model, to held-out prompts, or of several temperatures; no calibration, one of
            another model or domain, or for another temperature.
    """
    path = calibration_file(model, calibration)
    fitted = read_calibration(path)
    found = load_domain(domain or fitted.domain)
    examples = tuple(found.few_shot()) if fitted.few_shot else ()
    scorer = found.splitter()
    fitted.check(model, scorer, few_shot=examples, template_args=fitted.template_args, path=path)
    rows = list(read(responses, Response))
    temperature = _temperature(rows, identity(model), responses)
    fitted.at(temperature)

    def make() -> Iterator[Target]:
        judged = probabilities(rows, model, scorer, fitted, temperature, examples, fitted.template_args)
        return distilled(judged, scorer.halting, draws, scorer.phrase, seed)

    once("distil", output, [responses, path], {"draws": draws, "seed": seed, "model": identity(model)}, make)


def _temperature(rows: Sequence[Response], model: str, path: str | Path) -> float:
    """The one temperature at which a model generated responses to training prompts.

    Raises:
        InputError: there are none, or they are others.
    """
    if not rows:
        raise InputError("expected responses, found none", path=path)
    if held_out := sum(row.split != "train" for row in rows):
        raise InputError(
            f"expected responses to prompts of the split train, found {held_out} to others", path=path, field="split"
        )
    for name, expected in (("model", model), ("temperature", rows[0].sampler.get("temperature"))):
        other = next((row for row in rows if row.sampler.get(name) != expected), None)
        if other is not None or expected is None:
            found = other.sampler.get(name) if other is not None else None
            raise InputError(
                f"expected responses of one model and one temperature, {name} {expected!r}; found {found!r}",
                path=path,
                field=f"sampler.{name}",
            )
    return float(rows[0].sampler["temperature"])


def _finished(one: Judged) -> Judged:
    """The response without a fragment that the token limit cut off."""
    fragments = finished(one.row)
    if len(fragments) == len(one.row.fragments):
        return one
    end = fragments[-1].end if fragments else 0
    row = dataclasses.replace(one.row, response=one.row.response[:end], fragments=fragments, finish_reason="stop")
    return Judged(row, one.probability[: len(fragments)])


def cross_fitted(
    parts: Sequence[Sequence[Scored]], confidence: Sequence[Sequence[Sequence[float]]]
) -> list[list[Judged]]:
    """The probability of each fragment of two parts of the prompts, by the map of the other part (Platt's).

    Args:
        parts: the scored responses to each part of the prompts.
        confidence: for each part and response, one number a fragment, see `rlhalt.cut.confidence`.

    Raises:
        InputError: fewer than 30 decided fragments in a part.
    """
    maps = []
    for rows, sure in zip(parts, confidence, strict=True):
        keys = list(dict.fromkeys(row.prompt_key for row in rows))
        its = decided(rows, sure, {key: place for place, key in enumerate(keys)})
        maps.append(fitted("platt", its.confidence, its.correct))
    found = []
    for rows, sure, probability in zip(parts, confidence, reversed(maps), strict=True):
        found.append(
            [
                Judged(row, _known(row, probability(np.array(values, dtype=np.float64)).tolist()))
                for row, values in zip(rows, sure, strict=True)
            ]
        )
    return found


def _known(row: Scored, values: Sequence[float]) -> list[float]:
    return [float("nan") if one.label == "halt" else value for one, value in zip(row.fragments, values, strict=True)]
