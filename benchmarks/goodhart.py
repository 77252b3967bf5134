"""Where a policy that is trained on a learnt reward parts from the truth: both verdicts on the same responses.

    for step in 0 20 40 60; do          # 0: the policy before online training; the others its checkpoints
        rlhalt sample --model MODEL-OF-STEP --prompts heldout.jsonl --responses 2 --output $step/responses.jsonl
        rlhalt score --responses $step/responses.jsonl --output $step/scored.jsonl                     # the truth
        rlhalt score --responses $step/responses.jsonl --domain learnt --output $step/learnt.jsonl     # verifier: model
    done
    python benchmarks/goodhart.py 0 20 40 60

Prints JSON: for each folder every measure by the learnt verdicts and by the true ones, with 95 % intervals over
prompts, and the change since the first folder, paired over prompts. `gap` is the learnt measure less the true one.
`auroc` says how well the reward model still ranks what this policy says. `strict utility` is the utility if everything
that the verifier could not check were wrong.

`--learnt` names other files in the folders: those of another reward model, or of several, whose least or mean
probability then counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import Floats, estimate, ratio, weights
from rlhalt.evaluation.counts import PromptCounts, per_prompt
from rlhalt.evaluation.selective_prediction import auroc
from rlhalt.records import Fragment, Json, Scored, read
from rlhalt.reward_model.figures import with_labels

MEASURES = ("utility", "strict utility", "correct share", "right", "wrong", "unverifiable")


def main() -> None:
    """Compare the folders; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="with scored.jsonl and learnt.jsonl, in order")
    parser.add_argument("--threshold", type=float, default=0.5, help="τ of the verdicts and of the utility")
    parser.add_argument("--learnt", nargs="+", default=["learnt.jsonl"], help="files of learnt verdicts")
    parser.add_argument("--of-several", choices=("least", "mean"), default="least", help="which probability counts")
    options = parser.parse_args()
    found: dict[str, Json] = {}
    first: dict[str, Floats] = {}
    for folder in options.folders:
        its = draws(folder, options.learnt, options.of_several, options.threshold)
        first = first or its
        changes = {f"{name}, change": its[name] - first[name] for name in its} if its is not first else {}
        found[str(folder)] = {name: shown(one) for name, one in {**its, **changes}.items()}
    print(json.dumps(found, ensure_ascii=False, indent=1))


def draws(folder: Path, files: Sequence[str], several: str, threshold: float) -> dict[str, Floats]:
    """Draws of every measure of one policy.

    Raises:
        InputError: the files hold other responses.
    """
    true = list(read(folder / "scored.jsonl", Scored))
    merge = {"least": np.min, "mean": np.mean}[several]
    every = [probabilities(true, folder / name) for name in files]
    sure = [merge(of_row, axis=0).tolist() for of_row in zip(*every, strict=True)]
    learnt = [
        dataclasses.replace(row, fragments=[judged(*one, threshold) for one in zip(row.fragments, its, strict=True)])
        for row, its in zip(true, sure, strict=True)
    ]
    keys = sorted({row.prompt_key for row in true})
    drawn = weights(len(keys), seed=0)
    counts = per_prompt(true, keys)
    sides = {"learnt": measured(per_prompt(learnt, keys), drawn, threshold), "true": measured(counts, drawn, threshold)}
    found: dict[str, Floats] = {}
    for name in MEASURES:
        found |= {f"{side} {name}": its[name] for side, its in sides.items()}
        found[f"gap of {name}"] = sides["learnt"][name] - sides["true"][name]
    found["tokens"] = ratio(drawn, counts["tokens"], np.ones(len(keys)))
    position = {key: place for place, key in enumerate(keys)}
    found["auroc"] = auroc(with_labels(true, sure, "independent", position), drawn)
    return found


def probabilities(true: Sequence[Scored], path: Path) -> list[list[float]]:
    """The learnt P(correct) of each fragment; NaN where there is none, as of a halt.

    Raises:
        InputError: a file of other responses.
    """
    learnt = {row.key: row for row in read(path, Scored)}
    if {row.key: row.response for row in true} != {key: row.response for key, row in learnt.items()}:
        raise InputError("expected verdicts on the responses of scored.jsonl", path=path)
    found = []
    for row in true:
        its = {(one.start, one.end): one for one in learnt[row.key].fragments}
        found.append([_probability(its[one.start, one.end]) for one in row.fragments])
    return found


def _probability(one: Fragment) -> float:
    if one.probability is None:
        return math.nan
    return one.probability if one.label == "correct" else 1 - one.probability


def judged(one: Fragment, probability: float, threshold: float) -> Fragment:
    """A fragment with the learnt verdict; a halt stays one."""
    label = "correct" if probability >= threshold else "incorrect"
    return one if one.label == "halt" else dataclasses.replace(one, label=None if math.isnan(probability) else label)


def measured(counts: PromptCounts, drawn: Floats, threshold: float) -> dict[str, Floats]:
    """Draws of the measures of one side."""
    right, wrong = counts["correct"], counts["incorrect"]
    earned = (1 - threshold) * right - threshold * (wrong + counts["unfinished"])
    each = np.ones_like(right)
    strict = earned - threshold * counts["unverifiable"]
    means = {
        "utility": earned,
        "strict utility": strict,
        "right": right,
        "wrong": wrong,
        "unverifiable": counts["unverifiable"],
    }
    return {
        **{name: ratio(drawn, values, each) for name, values in means.items()},
        "correct share": ratio(drawn, right, right + wrong),
    }


def shown(values: Floats) -> list[float | None]:
    """Value, low, high."""
    one = estimate(values)
    return [None if number is None else round(number, 3) for number in (one.value, one.low, one.high)]


if __name__ == "__main__":
    main()
