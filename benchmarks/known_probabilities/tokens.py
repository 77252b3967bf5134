"""Tokens computed until a utility is reached: decisions and online training beside preference pairs, in a known world.

    python -m benchmarks.known_probabilities.tokens --output runs/known --steps 25 50 100 --online 10 20 40

Trains `dpo` as `benchmarks.known_probabilities` does, and with fewer steps each `decisions` and `online`, into
`tokens.json` and a table. A token is computed when a model embeds it: policy, reference, generation, padding, and again
for each pass. What `dpo` and `online` go on from is a supervised model, whose tokens stand beside their own; decisions
begin at the base model.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.known_probabilities.measure import Mode, behaviour, load, measure, probabilities
from benchmarks.known_probabilities.policies import MODES, Effort, Policies
from benchmarks.known_probabilities.world import World

from rlhalt.records import write_atomic


def main() -> None:
    """Train, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.5, 0.8])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--steps", type=int, nargs="*", default=[25, 50, 100], help="of decisions")
    parser.add_argument("--online", type=int, nargs="*", default=[10, 20, 40], help="steps of online training")
    args = parser.parse_args()
    trainings = [("dpo", 150), *[("decisions", one) for one in args.steps], *[("online", one) for one in args.online]]
    rows = []
    heads = f"{'share':>7} {'switch':>7} {'tokens, M':>10} {'before it':>10}"
    print(f"{'mode':<12} {'τ':<5} {'method':<10} {'steps':>5} {heads}")
    for mode in args.modes:
        for threshold in args.thresholds:
            for method, steps in trainings:
                found = reached(World(seed=args.seed), args.output, mode, threshold, method, steps)
                rows.append({"mode": mode, "threshold": threshold, "method": method, "steps": steps, **found})
                counts = f"{found['tokens'] / 1e6:>10.2f} {found['before'] / 1e6:>10.2f}"
                got = f"{found['share']:>7.3f} {found['switch']:>7.2f}"
                print(f"{mode:<12} {threshold:<5g} {method:<10} {steps:>5} {got} {counts}", flush=True)
                write_atomic(args.output / "tokens.json", [json.dumps(rows, indent=1), "\n"])


def reached(world: World, output: Path, mode: Mode, threshold: float, method: str, steps: int) -> dict[str, Any]:
    """The share of the best policy's utility that a training of so many steps comes to, and the tokens it computes."""
    shared = Policies(world, output / f"seed{world.seed}", Effort())
    scored = shared.scored()
    named = {"dpo": "dpo_steps", "decisions": "decision_steps", "online": "online_steps"}[method]
    effort = dataclasses.replace(Effort(), **{named: steps})
    # What is trained is counted, so it is trained anew; what it is trained on is not.
    folder = output / "tokens" / f"{method}-{steps}-{threshold:g}"
    policies = _Counted(world, folder, effort, shared.base(), scored)
    with counted() as before:
        if method != "decisions":
            policies.made("halt", mode, threshold)
    with counted() as tokens:
        policy = load(policies.made(method, mode, threshold))
    held_out = np.flatnonzero(world.heldout_E)
    base = load(shared.base())
    true_E_R, drawn_E_R = (probabilities(base, world, held_out, one) for one in (1.0, effort.temperature))
    acts = behaviour(policy, world, held_out, mode)
    found = measure(acts, true_E_R, drawn_E_R, world.kind_E[held_out], threshold)
    return {"share": found["share"], "switch": found["switch"], "tokens": tokens[0], "before": before[0]}


@dataclasses.dataclass(frozen=True)
class _Counted(Policies):
    """Policies under a folder of their own, of a base model and answers that lie elsewhere."""

    base_model: Path
    answered: Path

    def base(self) -> Path:
        return self.base_model

    def scored(self) -> Path:
        return self.answered


@contextlib.contextmanager
def counted() -> Iterator[list[int]]:
    """How many tokens are embedded meanwhile, as a list of one."""
    import torch

    tokens = [0]

    def count(module: Any, inputs: Any) -> None:
        if isinstance(module, torch.nn.Embedding):
            tokens[0] += inputs[0].numel()

    hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
    try:
        yield tokens
    finally:
        hook.remove()


if __name__ == "__main__":
    main()
