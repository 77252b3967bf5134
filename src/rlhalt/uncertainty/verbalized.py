"""Stated confidence: the policy is asked how sure it is of each thing it said, and answers with a number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from rlhalt.fragments.thinking import answer
from rlhalt.progress import track
from rlhalt.records import Json, Message, Scored
from rlhalt.sampling import EngineName, load_engine

QUESTION = 'You said: "{}" How sure are you that this is true, from 0 to 100? Answer with the number alone.'
TOKENS = 8
BATCH = 32
_NUMBER = re.compile(r"(?<![\d.,-])\d+(?:\.\d+)?(?![.,]?\d)")


def stated(
    model: str,
    rows: Sequence[Scored],
    few_shot: Sequence[Message] = (),
    engine: EngineName = "transformers",
    template_args: Json | None = None,
) -> list[list[float]]:
    """How sure the policy says it is of every fragment of its responses, asked about each after the whole response.

    Tian et al., arXiv 2305.14975 (the number is asked for in a second turn), decoded greedily.

    Args:
        model: the policy, see `rlhalt.models.resolve_model`.
        few_shot: the examples the responses were drawn with.
        template_args: the arguments of the chat template that they were drawn with.

    Returns:
        One list a row, one number in [0, 1] a fragment; NaN for a halt, and where the reply is no number up to 100. A
        number in the reasoning before a reply is none.
    """
    asked = [
        (row, place) for row in range(len(rows)) for place, one in enumerate(rows[row].fragments) if one.kind != "halt"
    ]
    found = [[math.nan] * len(row.fragments) for row in rows]
    loaded = load_engine(model, engine, template_args) if asked else None
    for start in track(range(0, len(asked), BATCH), "stated"):
        assert loaded is not None
        batch = asked[start : start + BATCH]
        chats = [
            [
                *few_shot,
                *rows[row].prompt,
                {"role": "assistant", "content": rows[row].response},
                {"role": "user", "content": QUESTION.format(rows[row].fragments[place].text)},
            ]
            for row, place in batch
        ]
        replies = loaded.complete(chats, temperature=0.0, max_tokens=TOKENS, seed=0)
        for (row, place), reply in zip(batch, replies, strict=True):
            found[row][place] = number(answer(reply.text))
    return found


def number(reply: str) -> float:
    """The first number of a reply as a share of 100; NaN where there is none or it is above 100."""
    first = _NUMBER.search(reply)
    value = float(first[0]) / 100 if first else math.nan
    return value if value <= 1 else math.nan
