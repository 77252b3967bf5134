"""Self-evaluation: the policy is asked of each fragment whether it is true, and answers with a letter.

P(true) (Kadavath et al., arXiv 2207.05221): after its response the policy is asked

    Is this true: "The capital of Norway is Oslo."
    (A) True
    (B) False

and the certainty is P(A) / (P(A) + P(B)) as the next token. Differences: the question is asked in the chat's second
turn, because a chat model answers there; a fragment is asked about, not the whole response. Nothing is generated: it
costs one pass a fragment. `among_others` has the multi-way form.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rlhalt.fragments.thinking import answer
from rlhalt.records import Json, Message, Scored
from rlhalt.uncertainty.next_token import first_tokens

TRUE = 'Is this true: "{}"\n(A) True\n(B) False\nAnswer with the letter alone.'


def p_true(
    model: str, rows: Sequence[Scored], few_shot: Sequence[Message] = (), template_args: Json | None = None
) -> list[list[float]]:
    """P(true) of every fragment, in [0, 1]; NaN for a halt.

    Args:
        model: the policy, see `rlhalt.models.names.resolve_model`.
        rows: its responses.
        few_shot, template_args: what the responses were drawn with.
    """
    asked = [[TRUE.format(one.claim or one.text) for one in row.fragments] for row in rows]
    return letters(model, rows, asked, [[(0, 2)] * len(row.fragments) for row in rows], few_shot, template_args)


def letters(
    model: str,
    rows: Sequence[Scored],
    asked: Sequence[Sequence[str]],
    places: Sequence[Sequence[tuple[int, int]]],
    few_shot: Sequence[Message],
    template_args: Json | None,
) -> list[list[float]]:
    """The share of a letter among all that a question offers; NaN for a halt.

    Args:
        asked: a question for each fragment of each row.
        places: for each of them, which letter counts, and how many there are.
    """
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
    offered = [[chr(ord("A") + number) for number in range(places[row][at][1])] for row, at in each]
    found = [[math.nan] * len(row.fragments) for row in rows]
    for (row, at), values in zip(each, first_tokens(model, chats, offered, template_args), strict=True):
        # Where the model gives no letter a probability that a number can hold, it has not answered.
        found[row][at] = values[places[row][at][0]] / sum(values) if sum(values) else math.nan
    return found


def _claims(rows: Sequence[Scored]) -> Iterator[tuple[int, int]]:
    for number, row in enumerate(rows):
        yield from ((number, at) for at, one in enumerate(row.fragments) if one.kind != "halt")
