"""What a threshold means to a policy, in worlds where the probabilities are known: base, SFT and DPO side by side.

    python -m benchmarks.known_probabilities --output runs/known-probabilities                      # hours on 2 cores
    python -m benchmarks.known_probabilities --output runs/known-probabilities --seeds 0 --thresholds 0.8 --modes causal

After each policy it writes known_probabilities.json, a row per mode, τ, method and seed (see
`benchmarks.known_probabilities.measure`), known_probabilities.md, a table, and known_probabilities.png. What was made
is not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.known_probabilities.figure import draw
from benchmarks.known_probabilities.measure import behaviour, load, measure, probabilities
from benchmarks.known_probabilities.policies import METHODS, MODES, Effort, told, worlds
from benchmarks.known_probabilities.table import as_json, markdown

from rlhalt.records import write_atomic

SHOWN = ("share", "share_drawn", "share_own", "switch", "slope", "ece", "said", "right", "drift", "astray")


def main() -> None:
    """Train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.2, 0.5, 0.8, 0.95])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    for field in dataclasses.fields(Effort):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    args = parser.parse_args()
    effort = Effort(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Effort)})
    rows: list[dict[str, Any]] = []
    print("mode        τ    method     seed " + " ".join(f"{name:>11}" for name in SHOWN))
    for policies in worlds(args.seeds, args.output, effort):
        world = policies.world
        held_out = np.flatnonzero(world.heldout_E)
        base = load(policies.base())
        true_E_R, drawn_E_R = (probabilities(base, world, held_out, one) for one in (1.0, effort.temperature))
        for mode in args.modes:
            for threshold in args.thresholds:
                for method in args.methods:
                    policy = load(policies.made(method, mode, threshold))
                    heat = effort.temperature if method == "sharp" else 1.0
                    acts = behaviour(policy, world, held_out, mode, system=told(method, threshold), temperature=heat)
                    found = measure(acts, true_E_R, drawn_E_R, world.kind_E[held_out], threshold)
                    rows.append({"mode": mode, "threshold": threshold, "method": method, "seed": world.seed, **found})
                    shown = " ".join(f"{found[name]:11.3f}" for name in SHOWN)
                    print(f"{mode:<11} {threshold:<4g} {method:<10} {world.seed:<4} {shown}", flush=True)
                    write_atomic(args.output / "known_probabilities.json", [as_json(rows)])
                    write_atomic(args.output / "known_probabilities.md", [markdown(rows)])
                    draw(rows, args.output / "known_probabilities.png")


if __name__ == "__main__":
    main()
