"""Character offsets → tokens of a response; `rlhalt.training.token_alignment` says whether two responses share tokens.

And how much two sequences, of characters, words or tokens, begin with together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlhalt.records import Fragment


def fragment_tokens(
    tokenizer: Any, prompt: str, response: str, fragments: Sequence[Fragment]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Token ids of prompt + response, and for each fragment the positions [first, after last) of its tokens.

    A token belongs to the fragment with which it shares its first character that is not blank, so that " The" belongs
    to the sentence it opens, and no token to two fragments.

    Args:
        tokenizer: a fast tokenizer, which knows the character offsets of its tokens.
        prompt: rendered text before the response, special tokens included.
        response: the text the fragments' offsets point into.
    """
    encoded = tokenizer(prompt + response, add_special_tokens=False, return_offsets_mapping=True)
    text = prompt + response
    # A prompt that ends with a blank token ("assistant\\n") would give it to the first fragment: no model wrote it.
    starts = [
        first_character(text, start, end) if end > len(prompt) else -1 for start, end in encoded["offset_mapping"]
    ]
    return encoded["input_ids"], [
        tokens_of(starts, len(prompt) + one.start, len(prompt) + one.end) for one in fragments
    ]


def first_character(text: str, start: int, end: int) -> int:
    """Where the first character of the token `text[start:end]` is that is not blank; `end` for a blank token."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()) if piece.strip() else end


def tokens_of(starts: Sequence[int], low: int, high: int) -> tuple[int, int]:
    """The positions [first, after last) of the tokens of a fragment; (0, 0) where it has none.

    Args:
        starts: `first_character` of each token.
        low, high: where the fragment begins and ends.
    """
    inside = [position for position, start in enumerate(starts) if low <= start < high]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def common_prefix(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How much two sequences begin with together, in elements."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
