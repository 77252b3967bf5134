"""FActScore's own loop against a judge of ours, for `scoring.py`; run by a Python that has `factscore` 0.2.

    PYTHON benchmarks/scoring_factscore.py http://127.0.0.1:8000/v1 < bios.json

It reads a list of {"topic", "text", "article", "facts"} and prints the seconds of `FactScorer.get_score` as JSON. What
runs is the package as it is: its `get_score`, its prompts, its `OpenAIModel` with its cache, its BM25 retrieval over
its `DocDB`. What does not: splitting into atomic facts (they are given, as `get_score` allows), building the data base
(which downloads a tokenizer; its tables are filled here) and ranking by GTR embeddings, its default (a GPU's work).
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import openai
from factscore.factscorer import FactScorer
from factscore.retrieval import SPECIAL_SEPARATOR, DocDB, Retrieval

_PASSAGE = 1000  # characters, about the 256 tokens of its own data base


def _data_base(path: Path, bios: list[dict[str, str]]) -> DocDB:
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE documents (title PRIMARY KEY, text)")
    for one in bios:
        parts = [one["article"][at : at + _PASSAGE] for at in range(0, len(one["article"]), _PASSAGE)]
        base.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", [one["topic"], SPECIAL_SEPARATOR.join(parts)])
    base.commit()
    base.close()
    return DocDB(str(path))


def _main(address: str) -> None:
    openai.api_base = address
    bios = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key").write_text("none")
        scorer = FactScorer("retrieval+ChatGPT", name, name, name, openai_key=str(folder / "key"))
        scorer.db["ours"] = _data_base(folder / "ours.db", bios)
        scorer.retrieval["ours"] = Retrieval(
            scorer.db["ours"], str(folder / "cache.json"), str(folder / "cache.pkl"), "bm25", batch_size=1
        )
        start, cpu = time.perf_counter(), time.process_time()
        out = scorer.get_score(
            [one["topic"] for one in bios],
            [one["text"] for one in bios],
            atomic_facts=[one["facts"] for one in bios],
            knowledge_source="ours",
        )
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    decided = sum(len(one) for one in out["decisions"])
    print(json.dumps({"fragments": decided, "seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    _main(sys.argv[1])
