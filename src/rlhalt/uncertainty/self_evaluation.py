"""Self-evaluation: the policy is asked of each fragment whether it is true, and answers with a letter.

P(true) (Kadavath et al., arXiv 2207.05221): after its response the policy is asked

    Is this true: "The capital of Norway is Oslo."
    (A) True
    (B) False

and the certainty is P(A) / (P(A) + P(B)) as the next token. In the multi-way form (Ren et al., arXiv 2312.09300) what
other samples say in contradiction stands beside the fragment, and "None of the above" behind them:

    Which of these is true?
    (A) The capital of Norway is Bergen.
    (B) The capital of Norway is Oslo.
    (C) None of the above

with P(B) over the sum of all letters. Differences: the question is asked in the chat's second turn, because a chat
model answers there; a fragment is asked about, not the whole response; its place among the others is drawn by its text,
so that no place is favoured. Nothing is generated: it costs one pass a fragment.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rlhalt.fragments.thinking import answer
from rlhalt.records import Fragment, Json, Message, Scored, content_key
from rlhalt.statement import statement
from rlhalt.uncertainty.next_token import first_tokens
from rlhalt.uncertainty.nli import NLI, lexical, relations

TRUE = 'Is this true: "{}"\n(A) True\n(B) False\nAnswer with the letter alone.'
WHICH, NONE = "Which of these is true?", "None of the above"
OTHERS = 3
"""So many contradictions at most stand beside a fragment."""


def p_true(
    model: str, rows: Sequence[Scored], few_shot: Sequence[Message] = (), template_args: Json | None = None
) -> list[list[float]]:
    """P(true) of every fragment, in [0, 1]; NaN for a halt.

    Args:
        model: the policy, see `rlhalt.models.resolve_model`.
        rows: its responses.
        few_shot, template_args: what the responses were drawn with.
    """
    asked = [[TRUE.format(one.claim or one.text) for one in row.fragments] for row in rows]
    return _letters(model, rows, asked, [[(0, 2)] * len(row.fragments) for row in rows], few_shot, template_args)


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
    return _letters(model, rows, asked, places, few_shot, template_args)


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


def _letters(
    model: str,
    rows: Sequence[Scored],
    asked: Sequence[Sequence[str]],
    places: Sequence[Sequence[tuple[int, int]]],
    few_shot: Sequence[Message],
    template_args: Json | None,
) -> list[list[float]]:
    each = list(_claims(rows))
    chats: list[list[Message]] = [
        [
            *few_shot,
            *rows[row].prompt,
            {"role": "assistant", "content": answer(rows[row].response)},
            {"role": "user", "content": asked[row][at]},
        ]
        for row, at in each
    ]
    letters = [[chr(ord("A") + number) for number in range(places[row][at][1])] for row, at in each]
    found = [[math.nan] * len(row.fragments) for row in rows]
    for (row, at), values in zip(each, first_tokens(model, chats, letters, template_args), strict=True):
        # Where the model gives no letter a probability that a number can hold, it has not answered.
        found[row][at] = values[places[row][at][0]] / sum(values) if sum(values) else math.nan
    return found


def _claims(rows: Sequence[Scored]) -> Iterator[tuple[int, int]]:
    for number, row in enumerate(rows):
        yield from ((number, at) for at, one in enumerate(row.fragments) if one.kind != "halt")
