"""Sentences, with the character offsets where they stand in the response.

A line end ends a sentence, except where a paragraph is hard-wrapped; a row of a table is one fragment
(`rlhalt.fragments.markdown`). Within a line a sentence ends at a stop (`rlhalt.fragments.stops`), before the next
number of a list ("Facts: 1. ... 2. ..."), and before a bold label where the line begins with one ("**Capital:** Nairobi
**Currency:** ..."). List markers ("1.", "a)", "-", "•"), marks of headings and quotes belong to no fragment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from rlhalt.fragments.halting_phrase import is_halt
from rlhalt.fragments.markdown import parts
from rlhalt.fragments.stops import INVISIBLE, ends
from rlhalt.records import HALT_PHRASE, Fragment

Ends = Callable[[str, int, int], Iterable[int]]  # text, begin, end

_MARKERS = (
    r"(?:[-*•◦‣·–—+▪■●○►➤➢✓✔]|>+|#{1,6}|\(?\d{1,3}[.)]|\*\*\d{1,3}[.)]\*\*|\([a-zA-Z]\)|[a-zA-Z]\)|\(?[ivx]{1,4}\)"
    r"|\[[ xX]\]|\d\ufe0f?\u20e3)(?=\s|$)\s*"
    r"|\d{1,3}[.)](?=[A-ZÀ-ÖØ-Þ][^\W\d_])"
    r"|(?:[a-z]|[ivx]{2,4})\.\s+(?=[\"“*_]*[A-ZÀ-ÖØ-Þ])"
)
_MARKER = re.compile(rf"\s*(?:{_MARKERS})+")
_LETTERED_MARKER = re.compile(rf"\s*(?:{_MARKERS}|[A-H]\.\s+)+")
_LETTERED = [re.compile(rf"^[^\w\n]*{letter}\.\s", re.MULTILINE) for letter in "AB"]
_INLINE_MARKER = re.compile(r"(?<=[:;])\s+\(?\d{1,2}[.)]\s+(?=[^\W\d])")
_LABEL = r"\*\*[^*\n]{1,40}(?::\*\*|\*\*:)"
_LABELLED, _NEXT_LABEL = re.compile(rf"\s*{_LABEL}"), re.compile(rf"\s(?={_LABEL})")
_TAGS = re.compile(r"(?:</?[a-zA-Z][^<>]{0,200}>\s*)+")
_WORD = re.compile(r"\w")


def sentences(text: str, phrase: str = HALT_PHRASE, ends: Ends = ends) -> list[Fragment]:
    """Cut a response into sentences, in the order of the text; nothing is judged yet.

    Each fragment is of kind `sentence`, or `halt` where it is the halting phrase alone, in any case and punctuation. It
    has at least one letter or digit, and no white space or invisible mark at its ends.

    Args:
        text: the response.
        phrase: what the domain halts with.
        ends: where sentences of a part of the text end, for another language than English.

    >>> [one.text for one in sentences("1. Dr. Ada lives in the U.S. She paints.")]
    ['Dr. Ada lives in the U.S.', 'She paints.']
    """
    marker = _LETTERED_MARKER if _is_lettered(text) else _MARKER
    return [
        Fragment(start, end, "halt" if is_halt(text[start:end], phrase) else "sentence", text[start:end])
        for part in parts(text)
        for start, end in (
            _spans(text, part.start, part.end, marker, ends)
            if part.kind == "line"
            else _trimmed(text, part.start, part.end)
        )
    ]


def _is_lettered(text: str) -> bool:
    """Whether a list has the letters A., B., ... as markers; "J. R. R. Tolkien" opens no list."""
    return "A. " in text and "B. " in text and all(one.search(text) for one in _LETTERED)


def _spans(text: str, begin: int, end: int, marker: re.Pattern[str], ends: Ends) -> Iterator[tuple[int, int]]:
    """The sentences of a line or a wrapped paragraph."""
    start = _after_marker(text, begin, end, marker)
    for stop in [*_ends(text, start, end, ends), end]:
        if stop <= start:
            continue
        yield from _trimmed(text, start, stop)
        start = _after_marker(text, stop, end, marker)


def _after_marker(text: str, start: int, end: int, marker: re.Pattern[str]) -> int:
    found = marker.match(text, start, end)
    return found.end() if found else start


def _ends(text: str, begin: int, end: int, ends: Ends) -> list[int]:
    found = set(ends(text, begin, end))
    found.update(one.start() for one in _INLINE_MARKER.finditer(text, begin, end))
    if _LABELLED.match(text, begin, end):
        found.update(one.start() for one in _NEXT_LABEL.finditer(text, begin + 1, end))
    return sorted(found)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and (text[start].isspace() or text[start] in INVISIBLE):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in INVISIBLE):
        end -= 1
    if _WORD.search(text, start, end) and not (text[start] == "<" and _TAGS.fullmatch(text, start, end)):
        yield start, end
