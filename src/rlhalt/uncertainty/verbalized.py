"""Stated confidence: the policy is asked how sure it is of each thing it said, and answers with a number.

Two of the ways of "Just Ask for Calibration" (Tian et al., arXiv 2305.14975), decoded greedily: `stated` asks in a
second turn ("2S"), `just_ask` asks for guess and probability at once ("1S top-1") with the fragment as the guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from rlhalt.fragments.thinking import answer
from rlhalt.records import Fragment, Json, Message, Scored
from rlhalt.running.progress import track
from rlhalt.sampling import EngineName, load_engine

QUESTION = 'You said: "{}" How sure are you that this is true, from 0 to 100? Answer with the number alone.'
# Prompt and form are the paper's; its "question" is what the prompt asked, and one fact is the guess.
JUST_ASK = (
    "Provide your best guess and the probability that it is correct (0.0 to 1.0) for the following question. Give ONLY "
    "the guess and probability, no other words or explanation. For example:\n\nGuess: <most likely guess, as short as "
    "possible; not a complete sentence, just the guess!>\nProbability: <the probability between 0.0 and 1.0 that your "
    "guess is correct, without any extra commentary whatsoever; just the probability!>\n\nThe question is: {}"
)
GUESS = "Guess: {}\nProbability:"
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

    Args:
        model: the policy, see `rlhalt.models.names.resolve_model`.
        few_shot: the examples the responses were drawn with.
        template_args: the arguments of the chat template that they were drawn with.

    Returns:
        One list a row, one number in [0, 1] a fragment; NaN for a halt, and where the reply is no number up to 100. A
        number in the reasoning before a reply is none.
    """

    def chat(row: Scored, one: Fragment) -> list[Message]:
        said: Message = {"role": "assistant", "content": row.response}
        return [*few_shot, *row.prompt, said, {"role": "user", "content": QUESTION.format(one.text)}]

    return _asked(model, rows, chat, engine, template_args, number)


def just_ask(
    model: str,
    rows: Sequence[Scored],
    few_shot: Sequence[Message] = (),
    engine: EngineName = "transformers",
    template_args: Json | None = None,
) -> list[list[float]]:
    """The probability that the policy states of each fragment in one go with it ("1S top-1"), as if it had guessed it.

    The fragment stands as the policy's own guess, and the policy continues with the probability; the paper has one
    short answer guessed freely. Arguments and result are those of `stated`; few-shot examples are left out, because
    they show answers of another form.
    """

    def chat(row: Scored, one: Fragment) -> list[Message]:
        asked: Message = {"role": "user", "content": JUST_ASK.format(row.prompt[-1]["content"])}
        return [*row.prompt[:-1], asked, {"role": "assistant", "content": GUESS.format(one.text)}]

    return _asked(model, rows, chat, engine, template_args, probability)


def _asked(
    model: str,
    rows: Sequence[Scored],
    chat: Callable[[Scored, Fragment], list[Message]],
    engine: EngineName,
    template_args: Json | None,
    read: Callable[[str], float],
) -> list[list[float]]:
    asked = [
        (row, place) for row in range(len(rows)) for place, one in enumerate(rows[row].fragments) if one.kind != "halt"
    ]
    found = [[math.nan] * len(row.fragments) for row in rows]
    loaded = load_engine(model, engine, template_args) if asked else None
    for start in track(range(0, len(asked), BATCH), "stated"):
        assert loaded is not None
        batch = asked[start : start + BATCH]
        chats = [chat(rows[row], rows[row].fragments[place]) for row, place in batch]
        replies = loaded.complete(chats, temperature=0.0, max_tokens=TOKENS, seed=0)
        for (row, place), reply in zip(batch, replies, strict=True):
            found[row][place] = read(answer(reply.text))
    return found


def number(reply: str) -> float:
    """The first number of a reply as a share of 100; NaN where there is none or it is above 100."""
    first = _NUMBER.search(reply)
    value = float(first[0]) / 100 if first else math.nan
    return value if value <= 1 else math.nan


def probability(reply: str) -> float:
    """The first number of a reply where it is from 0 to 1, or a percentage; else NaN.

    >>> probability(" 0.75"), probability("80%"), probability("80"), probability("high")
    (0.75, 0.8, nan, nan)
    """
    first = _NUMBER.search(reply)
    if first is None:
        return math.nan
    value = float(first[0]) / (100 if reply[first.end() :].lstrip().startswith("%") else 1)
    return value if value <= 1 else math.nan
