"""Self-evaluation among alternatives: which of these is true? (Ren et al., arXiv 2312.09300, "none of the above").

What other samples say in contradiction stands beside a fragment, and "None of the above" behind them:

    Which of these is true?
    (A) The capital of Norway is Bergen.
    (B) The capital of Norway is Oslo.
    (C) None of the above

The certainty is P(B) over the sum of all letters, see `rlhalt.uncertainty.self_evaluation`. Where the fragment stands
is drawn by its text, so that no place is favoured.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlhalt.records import Fragment, Json, Message, Scored, content_key
from rlhalt.statement import statement
from rlhalt.uncertainty.nli import NLI, lexical, relations
from rlhalt.uncertainty.self_evaluation import letters

WHICH, NONE = "Which of these is true?", "None of the above"
OTHERS = 3
"""So many contradictions at most stand beside a fragment."""


def among_others(
    model: str,
    rows: Sequence[Scored],
    samples: Sequence[Sequence[Scored]],
    few_shot: Sequence[Message] = (),
    template_args: Json | None = None,
    nli: NLI = lexical,
) -> list[list[float]]:
    """The multi-way form of every fragment, in [0, 1]; NaN for a halt.

    Args:
        samples: of each row, other responses to its prompt, with fragments; what they say in contradiction is offered.
        nli: says what contradicts what.
    """
    asked: list[list[str]] = []
    places: list[list[tuple[int, int]]] = []
    for row, others in zip(rows, samples, strict=True):
        made = [_which(one, others, nli) for one in row.fragments]
        asked.append([text for text, _ in made])
        places.append([place for _, place in made])
    return letters(model, rows, asked, places, few_shot, template_args)


def _which(fragment: Fragment, samples: Sequence[Scored], nli: NLI) -> tuple[str, tuple[int, int]]:
    """The question about a fragment, its place among the letters, and how many letters there are."""
    claim = fragment.claim or fragment.text
    options = contradictions(fragment, samples, nli)[:OTHERS]
    place = int(content_key(claim), 16) % (len(options) + 1)
    options = [*options[:place], claim, *options[place:], NONE]
    lines = [f"({chr(ord('A') + number)}) {one}" for number, one in enumerate(options)]
    return "\n".join([WHICH, *lines, "Answer with the letter alone."]), (place, len(options))


def contradictions(fragment: Fragment, samples: Sequence[Scored], nli: NLI) -> list[str]:
    """What other samples say in contradiction to a fragment, each meaning once, the most frequent first."""
    claim = fragment.claim or fragment.text
    said = [one for row in samples for one in row.fragments if one.kind != "halt"]
    known = relations(nli, ((one.claim or one.text, claim) for one in said))
    against = [one for one in said if known[one.claim or one.text, claim] == "contradiction"]
    meanings = [statement(one) for one in against]
    order = sorted(dict.fromkeys(meanings), key=lambda one: -meanings.count(one))
    return [against[meanings.index(one)].claim or against[meanings.index(one)].text for one in order]
