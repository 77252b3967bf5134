"""One model that reads τ in its prompt: what it says at each stated τ, and which τ to state.

    for t in 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 0.95; do
        rlhalt evaluate --model MODEL --prompts prompts.jsonl --name told --threshold $t --threshold-in-prompt \\
            --samples 0 --output evaluation/told-$t
    done
    rlhalt evaluate --model MODEL --prompts prompts.jsonl --name "told 0.05" --role base --threshold 0.05 \\
        --threshold-in-prompt --samples 0 --output evaluation/base
    python benchmarks/stated_threshold.py evaluation/* --figure stated.png

RiskEval's protocol: the stated τ varies and everything else is fixed. The model told the lowest τ says nearly all that
it would say, so its own probabilities, calibrated, are those of its facts: the *switch* of a higher τ is where the
share of these facts that it still states passes ½ (`rlhalt.evaluation.switch_point`).

Prints JSON. For each stated τ: right and wrong facts, correctness, utility at that τ, the switch. For each τ of
--thresholds: the utility of the model told τ, told what earns most at τ on the other half of the prompts, and cut at τ
(told the lowest). All with 95 % intervals over prompts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rlhalt.evaluation.bootstrap import Floats, estimate, ratio
from rlhalt.evaluation.comparison import Comparison, compare
from rlhalt.evaluation.folder import load
from rlhalt.evaluation.metrics import gains
from rlhalt.records import Json


def main() -> None:
    """Read the evaluations; print JSON, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluations", type=Path, nargs="+")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.3, 0.5, 0.8, 0.95])
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    found = compare([load(one) for one in options.evaluations], options.thresholds)
    told = by_stated(found)
    stated = {f"{t:g}": row(found, label, t) for t, label in told.items()}
    print(json.dumps({"stated": stated, "thresholds": chosen(found, told, options.thresholds)}, indent=1))
    if options.figure:
        draw(stated, options.figure)


def by_stated(found: Comparison) -> dict[float, str]:
    """The label of the model told each τ, from the lowest on."""
    return dict(sorted((float(one.threshold or 0), one.label) for one in found.design.models))


def row(found: Comparison, label: str, stated: float) -> Json:
    """What the model says where its prompt states this τ."""
    its = found.get(label, "greedy")
    values = {
        name: _shown(its[name].value, its[name].low, its[name].high) for name in ("right", "wrong", "correctness")
    }
    at = its.utility[stated]
    values["utility at it"] = _shown(at.value, at.low, at.high)
    spoken = next((one.matter.switch for one in found.speaking if one.model == label), None)
    if spoken is not None:
        values["switch"] = _shown(spoken.value, spoken.low, spoken.high)
    return values


def chosen(found: Comparison, told: Mapping[float, str], thresholds: Sequence[float]) -> Json:
    """For each τ: told τ, told the best of the other half of the prompts, and cut."""
    keys = found.design.prompts["greedy"]
    in_first = np.array([found.design.first_half()[key] for key in keys])
    arms = {t: found.arms[label, "greedy"] for t, label in told.items()}
    seed = {t: next(iter(arm.seeds)) for t, arm in arms.items()}
    lowest = arms[min(arms)]
    rows: Json = {}
    for threshold in thresholds:
        earned = {t: gains(arm.seeds[seed[t]], threshold) for t, arm in arms.items()}
        best = [max(earned, key=lambda t: float(earned[t][half].mean())) for half in (~in_first, in_first)]
        ways = {
            f"told the best of the other half, {best[0]:g} and {best[1]:g}": np.where(
                in_first, earned[best[0]], earned[best[1]]
            ),
            f"told {min(arms):g} and cut": gains(lowest.cut[threshold][seed[min(arms)]], threshold),
        }
        if threshold in earned:
            ways = {"told it": earned[threshold], **ways}
        drawn = found.design.weights(lowest.model, len(keys))
        rows[f"{threshold:g}"] = {name: _estimated(drawn, its) for name, its in ways.items()}
        if threshold in earned:
            first, *others = ways.items()
            rows[f"{threshold:g}"] |= {
                f"{name}, less told it": _estimated(drawn, its - first[1]) for name, its in others
            }
    return rows


def _estimated(drawn: Floats, values: Floats) -> list[float | None]:
    one = dataclasses.astuple(estimate(ratio(drawn, values, np.ones_like(values))))
    return _shown(*one)


def _shown(*numbers: float | None) -> list[float | None]:
    return [None if one is None else round(one, 3) for one in numbers]


def draw(stated: Mapping[str, Json], path: Path) -> None:
    """Right and wrong facts over the stated τ, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    panel = figure.subplots()
    places = [float(t) for t in stated]
    for name, colour in (("right", "#009e73"), ("wrong", "#d55e00")):
        value, low, high = (np.array([its[name][at] for its in stated.values()], dtype=float) for at in range(3))
        panel.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
        panel.plot(places, value, color=colour, marker="o", markersize=4, label=f"{name} facts")
    panel.set(xlabel="τ stated in the prompt", ylabel="facts per response", xlim=(0, 1), ylim=(0, None))
    panel.legend(frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
