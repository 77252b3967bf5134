"""Memory and time of feeding pairs to preference training, before any of it is trained on.

    python benchmarks/training_rows.py --pairs 10000 1000000

For each number of synthetic pairs a process of its own does what `rlhalt train dpo` does with as many draws: it looks
which are aligned, maps the file into memory, draws by weight, has TRL tokenise, and goes through the shuffled batches.
The model is tiny, the tokenizer SmolLM2's. Memory is what the process has for itself (RssAnon) and what it shares with
the page cache (RssFile), which the system takes back when it needs it; the most of either in each stage, in MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rlhalt.embedded import SMOLLM2
from rlhalt.models.names import resolve_model
from rlhalt.records import Json, Pair, Rows, write

BATCH = 8


def main() -> None:
    """Measure; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--feed", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tokenizer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.feed:
        print(json.dumps(feed(args.feed, args.tokenizer)))
        return
    found: Json = {}
    for count in args.pairs:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pairs.jsonl"
            write(path, pairs(count))
            command = [sys.executable, __file__, "--feed", str(path), "--tokenizer", resolve_model(SMOLLM2)]
            environment = {**os.environ, "RLHALT_CACHE": folder}
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
            found[str(count)] = {"file MiB": path.stat().st_size >> 20, **json.loads(done.stdout.splitlines()[-1])}
    print(json.dumps(found, indent=1))


def pairs(count: int) -> Iterator[Pair]:
    """Pairs of three short sentences, no two the same, weights τ and 1 - τ."""
    for number in range(count):
        asked = [{"role": "user", "content": f"State five facts about place {number // 10}."}]
        facts = [f"Place {number // 10} has {number * 7919 % 9973} {what}." for what in ("streets", "trees", "wells")]
        kept = " ".join(facts[: number % 3])
        sides = [f"{kept} {more}".strip() for more in ("Unsure from here.", " ".join(facts[number % 3 :]))]
        chosen, rejected = ([{"role": "assistant", "content": text}] for text in sides)
        key = str(number)
        yield Pair(key, asked, chosen, rejected, (0.3, 0.7)[number % 2], "unsure", 0.3, len(kept), key)


def feed(path: Path, tokenizer_path: str) -> Json:
    """What `rlhalt.training.dpo` does before the first step, and all batches after it."""
    from peft import LoraConfig
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from trl import DPOConfig

    from rlhalt.training.dpo import aligned, draw
    from rlhalt.training.prefix_sharing.trainer import SharedDPOTrainer
    from rlhalt.training.rows import on_disk

    stages: Json = {}
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_path)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **sizes))
    rows = Rows(path, Pair)
    with _measured(stages, "nothing yet"):
        time.sleep(0.5)
    with _measured(stages, "aligned"):
        taken = aligned(tokenizer, rows, 256)
    with _measured(stages, "mapped"):
        dataset = on_disk(rows, ("prompt", "chosen", "rejected"))
    with _measured(stages, "drawn"):
        dataset = dataset.select([taken.numbers[index] for index in draw(taken.weights, len(taken.weights), seed=0)])
    with _measured(stages, "tokenised"):
        trainer = SharedDPOTrainer(
            model=model,
            args=DPOConfig(
                output_dir=str(path.parent / "out"),
                per_device_train_batch_size=BATCH,
                max_length=256,
                gradient_checkpointing=False,
                use_cpu=True,
                bf16=False,
                report_to="none",
            ),
            train_dataset=dataset,
            processing_class=tokenizer,
            peft_config=LoraConfig(r=4, target_modules="all-linear"),
        )
    with _measured(stages, "fed"):
        batches = sum(1 for _ in trainer.get_train_dataloader())
    return {"pairs": len(taken.numbers), "refused": len(taken.refused), "batches": batches, "stages": stages}


@contextmanager
def _measured(stages: Json, name: str) -> Iterator[None]:
    """Seconds and the most memory of a stage."""
    most = dict.fromkeys(("RssAnon", "RssFile"), 0)
    over = threading.Event()

    def watch() -> None:
        ended = False
        while not ended:
            ended = over.wait(0.05)
            status = Path("/proc/self/status").read_text(encoding="ascii")
            for kind in most:
                most[kind] = max(most[kind], int(status.partition(f"{kind}:")[2].split()[0]) >> 10)

    watcher = threading.Thread(target=watch)
    began = time.perf_counter()
    watcher.start()
    yield
    over.set()
    watcher.join()
    stages[name] = {"seconds": round(time.perf_counter() - began, 1), **most}
    print(name, stages[name], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
