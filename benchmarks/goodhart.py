"""Where a policy that is trained on a learnt reward parts from the truth: both verdicts on the same responses.

    for step in 0 20 40 60; do          # 0: the policy before online training; the others its checkpoints
        rlhalt sample --model MODEL-OF-STEP --prompts heldout.jsonl --responses 2 --output $step/responses.jsonl
        rlhalt score --responses $step/responses.jsonl --output $step/scored.jsonl                     # the truth
        rlhalt score --responses $step/responses.jsonl --domain learnt --output $step/learnt.jsonl     # verifier: model
    done
    python benchmarks/goodhart.py 0 20 40 60

Prints JSON: for each folder every measure by the learnt verdicts and by the true ones, with 95 % intervals over
prompts, and the change since the first folder, paired over prompts. `gap` is the learnt measure less the true one.
`auroc` says how well the reward model still ranks what this policy says.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import Floats, estimate, ratio, weights
from rlhalt.evaluation.metrics import PromptCounts, per_prompt
from rlhalt.evaluation.selective_prediction import auroc
from rlhalt.records import Fragment, Json, Scored, read
from rlhalt.reward_model.figures import with_labels

MEASURES = ("utility", "correct share", "right", "wrong", "unverifiable")


def main() -> None:
    """Compare the folders; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="with scored.jsonl and learnt.jsonl, in order")
    parser.add_argument("--threshold", type=float, default=0.5, help="τ of the utility")
    options = parser.parse_args()
    found: dict[str, Json] = {}
    first: dict[str, Floats] = {}
    for folder in options.folders:
        its = draws(folder, options.threshold)
        first = first or its
        changes = {f"{name}, change": its[name] - first[name] for name in its} if its is not first else {}
        found[str(folder)] = {name: shown(one) for name, one in {**its, **changes}.items()}
    print(json.dumps(found, ensure_ascii=False, indent=1))


def draws(folder: Path, threshold: float) -> dict[str, Floats]:
    """Draws of every measure of one policy.

    Raises:
        InputError: the two files hold other responses.
    """
    true, learnt = (list(read(folder / name, Scored)) for name in ("scored.jsonl", "learnt.jsonl"))
    texts = [{row.key: row.response for row in rows} for rows in (true, learnt)]
    if texts[0] != texts[1]:
        raise InputError("expected verdicts on the same responses in scored.jsonl and learnt.jsonl", path=folder)
    keys = sorted({row.prompt_key for row in true})
    drawn = weights(len(keys), seed=0)
    found: dict[str, Floats] = {}
    sides = {"learnt": measured(per_prompt(learnt, keys), drawn, threshold)}
    sides["true"] = measured(per_prompt(true, keys), drawn, threshold)
    for name in MEASURES:
        found |= {f"{side} {name}": sides[side][name] for side in sides}
        found[f"gap of {name}"] = sides["learnt"][name] - sides["true"][name]
    counts = per_prompt(true, keys)
    found["tokens"] = ratio(drawn, counts["tokens"], np.ones(len(keys)))
    found["auroc"] = auroc(with_labels(true, sure(true, learnt), "independent", places(keys)), drawn)
    return found


def measured(counts: PromptCounts, drawn: Floats, threshold: float) -> dict[str, Floats]:
    """Draws of the measures of one side."""
    right, wrong = counts["correct"], counts["incorrect"]
    earned = (1 - threshold) * right - threshold * (wrong + counts["unfinished"])
    each = np.ones_like(right)
    means = {"utility": earned, "right": right, "wrong": wrong, "unverifiable": counts["unverifiable"]}
    return {
        **{name: ratio(drawn, values, each) for name, values in means.items()},
        "correct share": ratio(drawn, right, right + wrong),
    }


def places(keys: Sequence[str]) -> dict[str, int]:
    """The position of each prompt."""
    return {key: place for place, key in enumerate(keys)}


def sure(true: Sequence[Scored], learnt: Sequence[Scored]) -> list[list[float]]:
    """The learnt P(correct) of each fragment of the true rows; NaN where there is none."""
    by_key: Mapping[str, Mapping[tuple[int, int], Fragment]] = {
        row.key: {(one.start, one.end): one for one in row.fragments} for row in learnt
    }
    return [[_probability(by_key[row.key].get((one.start, one.end))) for one in row.fragments] for row in true]


def _probability(fragment: Fragment | None) -> float:
    if fragment is None or fragment.probability is None:
        return float("nan")
    return fragment.probability if fragment.label == "correct" else 1 - fragment.probability


def shown(values: Floats) -> list[float | None]:
    """Value, low, high."""
    one = estimate(values)
    return [None if number is None else round(number, 3) for number in (one.value, one.low, one.high)]


if __name__ == "__main__":
    main()
