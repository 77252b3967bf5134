"""How often a fragment that a stream took for final is another one in the whole text. Prints JSON.

    python benchmarks/settled_fragments.py countries response reward/countries/audit*.jsonl
    python benchmarks/settled_fragments.py countries output ../shared/data/factscore/*.jsonl
    python benchmarks/settled_fragments.py arithmetic answer ../shared/data/gsm8k/train-2000.jsonl

Each text is fed 1 to 7 characters at a time, as tokens come (seed 0), and split after each step.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from rlhalt.domains import load_domain
from rlhalt.serve.settled import settled


def main() -> None:
    """Count over all texts of a field of JSON lines."""
    domain, field, *files = sys.argv[1:]
    splitter, rng = load_domain(domain).splitter(), random.Random(0)
    rows = [json.loads(line) for name in files for line in Path(name).read_text(encoding="utf-8").splitlines()]
    texts = sorted({row[field] for row in rows if isinstance(row.get(field), str)})
    n_fragments = n_streamed = 0
    other = []
    for text in texts:
        decided: list[tuple[int, int]] = []
        place = 0
        while (place := place + rng.randint(1, 7)) < len(text):
            fragments = splitter.split(text[:place])
            final = fragments[: settled(text[:place], fragments, splitter.fragmenter)]
            decided += [(one.start, one.end) for one in final if not decided or one.start >= decided[-1][1]]
        whole = [(one.start, one.end) for one in splitter.split(text)]
        n_fragments, n_streamed = n_fragments + len(whole), n_streamed + len(decided)
        other += [text[start:end] for start, end in decided if (start, end) not in whole]
    print(
        json.dumps({"texts": len(texts), "fragments": n_fragments, "final_before_the_end": n_streamed, "other": other})
    )


if __name__ == "__main__":
    main()
