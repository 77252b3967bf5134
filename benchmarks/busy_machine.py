"""How long a training step takes on a busy machine, with waiting threads that spin and that sleep.

    python benchmarks/busy_machine.py               # about 2 minutes, prints a table in Markdown

OpenMP splits an operation among threads, and those that are done wait for the others. With `OMP_WAIT_POLICY=active`
they spin, which takes a core from whoever else wants it: on a busy machine perhaps from the thread they wait for. With
`passive`, which rlhalt sets where the variable is not set, they sleep.

A step is forward, backward and AdamW of a small Llama in float32, in a process of its own for each row of the table.
The load is made of processes that count. Medians and the slowest step are of wall-clock time; other work on the machine
adds to the load.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

POLICIES = ("active", "passive")
_COUNT = "while True: pass"


def step_times(steps: int) -> list[float]:
    """Seconds that each training step of a small Llama takes, the first two left out."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters())
    ids_B_T = torch.randint(0, config.vocab_size, (8, 128))
    found = []
    for _ in range(steps + 2):
        began = time.perf_counter()
        model(input_ids=ids_B_T, labels=ids_B_T).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(time.perf_counter() - began)
    return found[2:]


def measured(policy: str, threads: int, load: int, steps: int) -> list[float]:
    """Seconds of each step in a process with this policy, beside so many busy processes."""
    busy = [subprocess.Popen([sys.executable, "-c", _COUNT]) for _ in range(load)]
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--child", str(steps)],
            env={**os.environ, "OMP_WAIT_POLICY": policy, "OMP_NUM_THREADS": str(threads)},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    finally:
        for one in busy:
            one.kill()
            one.wait()
    times: list[float] = json.loads(done.stdout)
    return times


def row(load: int, each: Sequence[list[float]]) -> str:
    """A line of the table: the median and the slowest step, with each policy."""
    cells = [f"{statistics.median(one):.2f} s | {max(one):.2f} s" for one in each]
    return f"| {load} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="of the training step")
    parser.add_argument("--load", type=int, nargs="+", default=[0, 6], help="busy processes beside it")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--child", type=int, metavar="STEPS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        print(json.dumps(step_times(args.child)))
        return
    print(f"{os.cpu_count()} cores, load average before: {os.getloadavg()[0]:.1f}\n")
    heads = " | ".join(f"{policy}: median | slowest" for policy in POLICIES)
    print(f"| busy processes | {heads} |\n| --: |{' --: |' * 2 * len(POLICIES)}")
    for load in args.load:
        print(row(load, [measured(policy, args.threads, load, args.steps) for policy in POLICIES]), flush=True)


if __name__ == "__main__":
    main()
