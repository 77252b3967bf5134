"""Where a quote stands in a text that says the same in other characters.

A model that copies words changes them a little: straight quotes for curly ones, a hyphen for a dash, composed letters
for decomposed ones, no bold marks, a capital at the start. Both sides are compared in a plain form:

    NFKD ─► quotes and apostrophes are one sign, dashes another ─► marks of emphasis and invisible marks dropped ─►
    white space is one space, none around dashes

Nothing else may differ: what is not in the text is not found, and where it stands is never guessed.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator

_QUOTES = dict.fromkeys("\"'’‘‚‛“”„‟«»‹›′″ʼ´", "'")
_DASHES = dict.fromkeys("-‐‑‒–—―−﹘﹣－", "-")
_SAME = _QUOTES | _DASHES
_MARKS = r"(?:[*_]{1,3}|`+|~~)"
_EMPHASIS = re.compile(
    rf"(?<!\S){_MARKS}(?=\S)|(?<=[\s\"'“‘(\[—–-]){_MARKS}(?=\S)|(?<=\S){_MARKS}(?=[\s.,;:!?…\"'”’)\]—–-]|$)"
)


@dataclasses.dataclass(frozen=True)
class _Plain:
    """A text in its plain form, and for each character of it where it comes from in the text."""

    text: str
    places: list[int]


def find(text: str, quote: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a quote stands in a part of a text, word for word; only white space may differ.

    Whole words come before parts of words: "art" is no quote of "artist" where it stands elsewhere.
    """
    words = r"\s+".join(map(re.escape, quote.split()))
    # A letter without its accent is another letter.
    words += "(?![\u0300-\u036f])"
    found = re.compile(rf"(?<!\w){words}(?!\w)").search(text, start, end) or re.compile(words).search(text, start, end)
    return found.span() if found else None


def find_alike(text: str, quote: str, start: int, end: int) -> tuple[int, int] | None:
    """As `find`, where the quote may be written in other characters, and its first letter in the other case.

    >>> find_alike("She is “**Ada**”.", 'is "Ada"', 0, 17)
    (4, 16)
    """
    there, sought = _plain(text, start, end), _plain(quote, 0, len(quote)).text
    # A full stop or comma at the end is often added; an ellipsis stands for words.
    bare = sought[:-1] if sought[-1:] in ".,;:!?" and sought[-2:-1] not in ".,;:!?" else sought
    for one in (sought, _other_case(sought), bare, _other_case(bare)):
        matches = list(_matches(there.text, one))
        whole = [at for at in matches if _is_whole(there.text, at, at + len(one))]
        if matches:
            at = (whole or matches)[0]
            return _marked(text, there.places[at], there.places[at + len(one) - 1] + 1, start, end)
    return None


def _plain(text: str, start: int, end: int) -> _Plain:
    dropped = {at for one in _EMPHASIS.finditer(text, start, end) for at in range(*one.span())}
    chars: list[str] = []
    places: list[int] = []
    for at in range(start, end):
        if at in dropped or unicodedata.category(text[at]) == "Cf":
            continue
        for char in unicodedata.normalize("NFKD", text[at]):
            plain = " " if char.isspace() else _SAME.get(char, char)
            if plain == " " and (not chars or chars[-1] in " -"):
                continue
            if plain == "-" and chars and chars[-1] == " ":
                chars.pop()
                places.pop()
            chars.append(plain)
            places.append(at)
    while chars and chars[-1] == " ":
        chars.pop()
        places.pop()
    return _Plain("".join(chars), places)


def _other_case(text: str) -> str:
    """A text whose first letter has the other case; the text where it has none."""
    at = next((at for at, char in enumerate(text) if char.isalnum()), 0)
    return text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]


def _matches(text: str, quote: str) -> Iterator[int]:
    at = text.find(quote)
    while at >= 0:
        if not unicodedata.combining(text[at + len(quote) : at + len(quote) + 1] or " "):
            yield at
        at = text.find(quote, at + 1)


def _is_whole(text: str, start: int, end: int) -> bool:
    inside = text[start:end]
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (_is_word(before) and _is_word(inside[:1])) and not (_is_word(after) and _is_word(inside[-1:]))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _marked(text: str, start: int, end: int, first: int, last: int) -> tuple[int, int]:
    """A span with the marks of emphasis at its ends."""
    while start > first and text[start - 1] in "*_`~":
        start -= 1
    while end < last and text[end] in "*_`~":
        end += 1
    return start, end
