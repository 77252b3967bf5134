"""How long responses take with each kind of attention on a CPU: python benchmarks/sampling_attention.py

The same 32 prompts, in turn, one thread; CPU seconds, and the median ratio to eager attention.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from rlhalt.domains import load_domain
from rlhalt.sampling.grouped_attention import use_grouped_attention
from rlhalt.sampling.local import TransformersEngine


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct", help="%(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="%(default)s")
    parser.add_argument("--tokens", type=int, default=32, help="of a response; %(default)s")
    args = parser.parse_args()
    torch.set_num_threads(1)
    domain = load_domain("countries")
    chats = [[*domain.few_shot(), *one.prompt] for one in domain.prompts(split="train")[:32]]
    engine = TransformersEngine(args.model)
    kinds = {
        "eager": lambda: engine._model.set_attn_implementation("eager"),
        "sdpa": lambda: engine._model.set_attn_implementation("sdpa"),
        "grouped": lambda: use_grouped_attention(engine._model),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    said: dict[str, list[str]] = {}
    engine.complete(chats[:2], temperature=0.7, max_tokens=2, seed=0)
    for _ in range(args.rounds):
        for name, choose in kinds.items():
            choose()
            begin = time.process_time()
            found = engine.complete(chats, temperature=0.7, max_tokens=args.tokens, seed=0)
            seconds[name].append(time.process_time() - begin)
            said[name] = [one.text for one in found]
    ratios = {
        name: statistics.median(eager / own for eager, own in zip(seconds["eager"], its, strict=True))
        for name, its in seconds.items()
    }
    same = {name: texts == said["eager"] for name, texts in said.items()}
    print(json.dumps({"seconds": seconds, "times as fast as eager": ratios, "same texts": same}, indent=1))


if __name__ == "__main__":
    main()
