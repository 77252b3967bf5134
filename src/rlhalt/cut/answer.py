"""Answers of a calibrated model: each fragment with the probability that it is right, and what is said at each τ."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlhalt.cut.calibration import calibration_file, read
from rlhalt.cut.respond import Judged, probabilities
from rlhalt.domains import load_domain
from rlhalt.records import Json, Message, Response, content_key
from rlhalt.rewards import check_threshold
from rlhalt.sampling import EngineName, load_engine
from rlhalt.scoring import Scorer


def answer(
    model: str,
    prompts: Sequence[list[Message]],
    *,
    thresholds: Sequence[float],
    calibration: str | Path | None = None,
    domain: str | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    engine: EngineName = "transformers",
) -> list[Json]:
    """Answer prompts, and cut each answer at every τ.

    The model is asked as it was when it was calibrated: with the domain's examples or without, to the same length.

    Args:
        model: a name or folder, see `rlhalt.models.names.resolve_model`.
        thresholds: each τ that the answers are cut at.
        calibration: the file; `calibration/calibration.json` in the model's folder if None.
        domain: the domain that was calibrated, where it is a folder; by its name if None.

    Returns:
        For each prompt `{prompt, response, fragments, answers}`: what was generated, its fragments as `{text,
        probability}` (null for a halt), and for each τ what is said.

    Raises:
        InputError: no calibration, one of another model or domain, or a temperature that was not calibrated.
    """
    for one in thresholds:
        check_threshold(one)
    path = calibration_file(model, calibration)
    fitted = read(path)
    found = load_domain(domain or fitted.domain)
    examples = tuple(found.few_shot()) if fitted.few_shot else ()
    scorer = found.splitter()
    fitted.check(model, scorer, few_shot=examples, template_args=fitted.template_args, path=path)
    fitted.at(temperature)
    completions = load_engine(model, engine, fitted.template_args).complete(
        [[*examples, *one] for one in prompts], temperature=temperature, max_tokens=fitted.max_tokens, seed=seed
    )
    rows = [
        Response(
            content_key(number, one), content_key(one), number, one, said.text, {}, found.domain, "heldout",
            said.finish_reason, {"temperature": temperature}, said.n_tokens,
        )
        for number, (one, said) in enumerate(zip(prompts, completions, strict=True))
    ]  # fmt: skip
    judged = probabilities(rows, model, scorer, fitted, temperature, examples, fitted.template_args)
    return [_described(one, thresholds, scorer) for one in judged]


def _described(one: Judged, thresholds: Sequence[float], scorer: Scorer) -> Json:
    known = [None if np.isnan(value) else round(value, 4) for value in one.probability]
    return {
        "prompt": one.row.prompt,
        "response": one.row.response,
        "fragments": [
            {"text": fragment.text, "probability": value}
            for fragment, value in zip(one.row.fragments, known, strict=True)
        ],
        "answers": {f"{at:g}": one.text(at, scorer.halting, scorer.phrase) for at in thresholds},
    }


def shown(answers: Sequence[Json], thresholds: Sequence[float]) -> None:
    """Print answers: each fragment with its probability, then what is said at each τ."""
    from rich.console import Console
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    for number, one in enumerate(answers):
        if number:
            console.print()
        console.print(Text(one["prompt"][-1]["content"], style="bold"))
        for fragment in one["fragments"]:
            value = fragment["probability"]
            console.print(Text(f"  {'    ' if value is None else f'{value:.2f}'}  {fragment['text'].strip()}"))
        for at in thresholds:
            console.print(Text(f"τ = {at:g}", style="bold"), Text(one["answers"][f"{at:g}"]))
