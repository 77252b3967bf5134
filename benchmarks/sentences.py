"""How many hard inputs each sentence splitter cuts as a reader does, as JSON.

    python benchmarks/sentences.py fragments.jsonl      (pip install sentencex pysbd, for those columns)

A row has `input`, `expected` (the sentences) and `fragmenter`. Rows of another fragmenter than `sentences` are left out
(so are fragments without a letter or digit). Measured on 28 rows: rlhalt 28, sentencex 1.0.32 19, pysbd 0.3.4 18.
The rules of rlhalt were written with these rows in view; before that, 19 rows were split as expected.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rlhalt.fragments.sentences import sentences

Split = Callable[[str], Iterable[str]]


def splitters() -> dict[str, Split]:
    """The splitters that are installed, by name."""
    found: dict[str, Split] = {"rlhalt": lambda text: [one.text for one in sentences(text)]}
    if importlib.util.find_spec("sentencex"):
        import sentencex

        found["sentencex"] = lambda text: [one["text"] for one in sentencex.get_sentence_boundaries("en", text)]
    if importlib.util.find_spec("pysbd"):
        import pysbd

        segmenter = pysbd.Segmenter(language="en", clean=False, char_span=True)
        found["pysbd"] = lambda text: [one.sent for one in segmenter.segment(text)]
    return found


def main(path: str) -> None:
    """Print how many rows of a file each splitter cuts as expected, and the CPU seconds of it."""
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line]
    rows = [row for row in rows if row["fragmenter"] == "sentences"]
    out = {}
    for name, split in splitters().items():
        start = time.process_time()
        cut = [[one.strip() for one in split(row["input"]) if any(map(str.isalnum, one))] for row in rows]
        seconds = time.process_time() - start
        right = sum(one == row["expected"] for one, row in zip(cut, rows, strict=True))
        out[name] = {"as_expected": right, "rows": len(rows), "cpu_seconds": round(seconds, 4)}
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main(sys.argv[1])
