"""Questions about the held-out countries in GPQA's form, for models that may answer "I don't know".

    python benchmarks/gpqa_form.py countries.csv
    rlhalt choose countries.csv --form gpqa --model MODEL --output choices/NAME

GPQA itself is not given away. Each country that has one is asked for its capital, its currency and its official
language; the wrong answers are those of other countries, in an order that the name of the country decides.
"""

from __future__ import annotations

import csv
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from rlhalt.domains import load_domain
from rlhalt.domains.countries import facts
from rlhalt.records import write_atomic
from rlhalt.verifiers.plain import plain

FIELDS = ("Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
ASKED = {
    "capital": "What is the capital of {}?",
    "currency": "What is the currency of {}?",
    "language": "What is the official language of {}?",
}


def questions() -> Iterator[tuple[str, ...]]:
    """One row a question: the question, its answer, three wrong answers."""
    names = [one.reference["subject"] for one in load_domain("countries").prompts(split="heldout")]
    entries = facts().entries
    for relation, text in ASKED.items():
        values = {name: list(dict.fromkeys(entries[name].facts[relation].values())) for name in names}
        for name, right in values.items():
            # Where there are several, "the" capital or language is not one answer.
            if len(right) != 1:
                continue
            # A language that is spoken there without being official is no plainly wrong answer.
            doubtful = set().union(*entries[name].disputed.values())
            unlike = {one for its in values.values() for one in its if one != right[0] and plain(one) not in doubtful}
            wrong = random.Random(f"{relation} {name}").sample(sorted(unlike), 3)
            yield text.format(name), right[0], *wrong


def main() -> None:
    """Write the file."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([FIELDS, *questions()])
    write_atomic(Path(sys.argv[1]), [written.getvalue()])


if __name__ == "__main__":
    main()
