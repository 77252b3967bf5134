"""A judge asked about answers whose labels are known: TruthfulQA's own. Prints JSON.

    python -m vllm.entrypoints.openai.api_server --model MODEL --served-model-name judge --port 8765   # one terminal
    python benchmarks/judge_truthfulqa.py ../shared/data/truthfulqa/TruthfulQA.csv --address http://127.0.0.1:8765/v1 \
        --model judge

Half of the answers asked about are true ones and half false ones, of a question each. The judge is shown the lists in
which they stand word for word, so this measures whether it can read and reply in the asked form, and nothing about what
it would say of answers in other words: a judge that is not near 100 % here is of no use, and one that is may still be
bad.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rlhalt.audit import agreement, decided_share, judge
from rlhalt.domains import load_domain
from rlhalt.domains.truthfulqa import prompts
from rlhalt.llm import Client, Limits, Server
from rlhalt.records import Json, Prompt, write_atomic


def labels(questions: list[Prompt], count: int, seed: int) -> Iterator[Json]:
    """Rows of an `audit.jsonl`: as many true as false answers, those left out that stand in both lists."""
    chosen = random.Random(seed)
    for number, question in enumerate(chosen.sample(questions, count)):
        name, other = ("true", "false") if number % 2 == 0 else ("false", "true")
        rest = {one.casefold() for one in question.reference[other]}
        answers = [one for one in question.reference[name] if one.casefold() not in rest]
        text = chosen.choice(answers)
        yield {
            "split": question.split,
            "reference": question.reference,
            "response": text,
            "start": 0,
            "end": len(text),
            "text": text,
            "claim": None,
            "label": "correct" if name == "true" else "incorrect",
        }


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path, help="TruthfulQA.csv")
    parser.add_argument("--address", required=True, help="of a server that speaks OpenAI's chat API, http://…/v1")
    parser.add_argument("--model", required=True, help="the name the server knows the judge by")
    parser.add_argument("--fragments", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=8)
    args = parser.parse_args()

    with (
        tempfile.TemporaryDirectory() as folder,
        Client(Server(args.address, args.model), Limits(concurrency=args.concurrency, timeout=300)) as client,
    ):
        path = Path(folder) / "audit.jsonl"
        rows = labels(prompts(args.csv), args.fragments, args.seed)
        write_atomic(path, (json.dumps(row) + "\n" for row in rows))
        began = time.monotonic()
        judged = judge(path, load_domain("truthfulqa").scorer(client))
        seconds = time.monotonic() - began
        usage = dataclasses.asdict(client.usage)
    table = collections.Counter(f"{one.human} called {one.verdict}" for one in judged)
    reasons = collections.Counter(one.evidence.split(":")[0] for one in judged if one.verdict == "failed")
    result = {
        "model": args.model,
        "fragments": len(judged),
        "decided": round(decided_share(judged), 3),
        "agreement where decided": round(agreement(judged), 3),
        "verdicts": dict(sorted(table.items())),
        "failed": dict(reasons),
        "seconds": round(seconds, 1),
        "usage": usage,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
