"""Which tokens that a policy sampled belong to which decision.

The tokens are those that were sampled, never those of a text encoded anew: a policy may spell a word in other pieces
than its tokenizer would. Their texts come from the tokenizer's own streaming decoder, which takes one step a token.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, get_args

from rlhalt.chat.token_spans import common_prefix
from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Fragment

Credited = Literal["fragment", "opening"]
"""Which tokens of a fragment have its advantage: all, or those that tell what it is about (`openings`).

With all of them a policy learns what to say, and whether to: it says what is likeliest more often, and may learn by
heart what is true of the training prompts. With the openings it learns whether to speak of a thing; its words, and so
its odds, are moved as little as can be. docs/online.md has figures of both.
"""
CREDITED: tuple[str, ...] = get_args(Credited)


def token_starts(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[int | None]]:
    """The text of T sampled tokens, and for each where its first character that is not blank stands in it.

    The pieces of one character all stand where it stands; a token of blanks stands at their end. A special token has no
    text and no place: None.

    Args:
        tokenizer: a fast tokenizer.
        ids: T token ids of a response, without padding.

    Raises:
        InputError: a tokenizer without the Rust one inside, or one whose pieces are not the text it decodes to.
    """
    from tokenizers.decoders import DecodeStream

    inner = getattr(tokenizer, "backend_tokenizer", None)
    if inner is None:
        raise InputError("expected a fast tokenizer, which can decode piece by piece", field="model_name_or_path")
    text: str = tokenizer.batch_decode([list(ids)], skip_special_tokens=True)[0]
    stream = DecodeStream(skip_special_tokens=True)
    special = {*tokenizer.all_special_ids, *(id for id, one in tokenizer.added_tokens_decoder.items() if one.special)}
    starts: list[int | None] = []
    run: list[int] = []
    done = 0
    for one in ids:
        run.append(one)
        piece = stream.step(inner, one) or ""
        # A run of tokens whose last character is not finished yet has no text so far.
        if piece:
            there = text[done : done + len(piece)]
            if there != piece:
                raise InputError(
                    f"expected a text that is that of its tokens, found {there!r} for {piece!r}: fragments cannot be "
                    "told apart with this tokenizer",
                    field="model_name_or_path",
                )
            starts += _places(inner, run, piece, done)
            run, done = [], done + len(piece)
    starts += _places(inner, run, text[done:], done)
    return text, [None if one in special else start for one, start in zip(ids, starts, strict=True)]


def _places(inner: Any, run: Sequence[int], piece: str, done: int) -> list[int]:
    """Where each token of a run has its first character that is not blank; the run's text stands from `done` on."""
    places = []
    for length in range(len(run)):
        # How much of the text the tokens before it have said whole.
        before = inner.decode(run[:length])
        said = common_prefix(before, piece)
        rest = piece[said:]
        places.append(done + said + len(rest) - len(rest.lstrip()))
    return places


def spread(
    starts: Sequence[int | None],
    fragments: Sequence[Fragment],
    values: Sequence[float],
    opened: Sequence[int] | None = None,
    begin: int = 0,
    *,
    unfinished: bool = False,
) -> list[float]:
    """The value of each token's decision: of the first fragment that ends after the token's place.

    So a fragment's value goes to its tokens and to those between it and the fragment before it (blanks, list markers),
    where it was decided to say it. What follows the last fragment belongs to the decision to end, and so do special
    tokens at the end, the end of turn among them. Other special tokens have none, and neither has what stands after the
    last decision.

    Args:
        starts: T places, of `token_starts`.
        fragments: in the order of the text.
        values: one a decision, of `rlhalt.training.fragment_grpo.advantages.advantages`.
        opened: of `openings`, one a fragment, without the unfinished one: tokens that begin behind so many of its
            characters have no value.
        begin: where the answer begins, behind the reasoning. Tokens of the reasoning have no value: it is judged by
            nobody, and the decisions that are trained are those of the answer, given the reasoning before it.
        unfinished: whether the response ran into the limit of tokens. Its last fragment and what follows it, blanks for
            instance, are the decision at which it was cut off, and all their tokens have its value.

    Returns:
        T numbers.
    """
    # Where one fragment stands inside another, the outer one keeps its tokens.
    ends = list(itertools.accumulate((one.end for one in fragments), max))
    last = max((place for place, start in enumerate(starts) if start is not None), default=-1)
    # A halting phrase at the end and the end of turn are one decision.
    closing = len(fragments) - (1 if fragments and (unfinished or fragments[-1].label == "halt") else 0)
    found = []
    decision = 0
    for place, start in enumerate(starts):
        if start is None:
            found.append(values[closing] if place > last and closing < len(values) else 0.0)
            continue
        if start < begin:
            found.append(0.0)
            continue
        while decision < closing and ends[decision] <= start:
            decision += 1
        beyond = opened is not None and decision < closing and start >= fragments[decision].start + opened[decision]
        found.append(0.0 if beyond or decision >= len(values) else values[decision])
    return found


def openings(group: Sequence[Sequence[Fragment]], phrase: str = HALT_PHRASE) -> list[list[int]]:
    """How many characters of each fragment tell what it is about, for the responses to one prompt.

    An answer says each thing once. So a fragment has said what it is about as soon as it has parted from all others of
    its answer, and from the halting phrase: "Its capital is Oslo." beside "Its currency is the krone." after "Its ca".
    A fragment that stands alone is as long as the longest such beginning in the group that it begins with.

    Args:
        phrase: what the domain halts with.
    """
    texts = [[one.text for one in fragments] for fragments in group]
    begun = {
        text[: _parted(text, [*its[:index], *its[index + 1 :], phrase])]
        for its in texts
        for index, text in enumerate(its)
    }
    return [[max(len(one) for one in begun if text.startswith(one)) for text in its] for its in texts]


def _parted(text: str, others: Sequence[str]) -> int:
    return 1 + max((common_prefix(text, other) for other in others if other != text), default=0)
