"""Sentences, with the character offsets where they stand in the response.

A line end always ends a sentence. Within a line a sentence ends at `.`, `!`, `?` or `…` before white space, unless the
full stop belongs to an abbreviation, an initial or a list marker; it also ends where the space was forgotten
("Africa.The capital"). List markers ("1.", "-", "•") belong to no fragment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlhalt.records import HALT_PHRASE, Fragment

_ABBREVIATION = re.compile(
    r"approx|ave|bros|ca|capt|cf|co|dept|dr|est|etc|fr|ft|gen|gov|hon|inc|incl|jr|km|lt|ltd|messrs|mi|mr|mrs|ms|mt|mts|op|"
    r"pop|pp|pres|prof|pt|rep|rev|sen|sgt|sq|sr|st|ste|vol|vs"
)
# These, and two or more letters with full stops, as in U.S. or D.C., may also end a sentence.
_CAN_END = re.compile(r"approx|bros|co|etc|inc|jr|km|ltd|mi|sr|(?:[^\W\d_]\.)+[^\W\d_]")
_STARTER = re.compile(
    r"a|about|although|an|and|as|at|but|he|her|his|however|if|in|it|its|most|official|on|one|our|she|since|some|that|the|"
    r"their|there|these|they|this|those|unsure|we|while|with|you"
)
_NUMBERED = re.compile(r"nos?")  # "No. 1", but "The answer is no."
_LONGEST = 12  # no longer word needs to be looked at

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_MARKER = re.compile(r"\s*(?:(?:[-*•◦‣·–—+]|#{1,6}|\(?\d{1,3}[.)]|\([a-z]\))(?=\s|$)\s*)+")
_INLINE_MARKER = re.compile(r"(?<=[:;])\s+\(?\d{1,2}[.)]\s+(?=[^\W\d])")
_STOP = re.compile(r"[.!?…]+[\"'”’»)\]*]*(?=\s|$)|(?<=[^\W\d_]{2})[.!?](?=[A-ZÀ-Þ][^\W\d_]+\b(?!\.))|[。！？]+")
_LAST_WORD = re.compile(r"[^\s\"'“”‘’«»(\[]+$")
_NEXT_WORD = re.compile(r"[\s\"'“‘«(\[]*([^\W\d_]*)")
_WORD = re.compile(r"\w")
_HALT = re.compile(r"[\W_]*" + r"\s+".join(map(re.escape, HALT_PHRASE.rstrip(".").split())) + r"[\W_]*", re.IGNORECASE)


def sentences(text: str) -> list[Fragment]:
    """Cut a response into sentences, in the order of the text; nothing is judged yet.

    Each fragment is of kind `sentence`, or `halt` where it is the halting phrase alone, in any case and punctuation. It
    has at least one letter or digit, and no white space at its ends.
    """
    return [
        Fragment(start, end, "halt" if _HALT.fullmatch(text, start, end) else "sentence", text[start:end])
        for line in _LINE.finditer(text)
        for start, end in _spans(text, line.start(), line.end())
    ]


def _spans(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of one line."""
    start = _after_marker(text, begin, end)
    for stop in [*_ends(text, start, end), end]:
        if stop <= start:
            continue
        yield from _trimmed(text, start, stop)
        start = _after_marker(text, stop, end)


def _after_marker(text: str, start: int, end: int) -> int:
    marker = _MARKER.match(text, start, end)
    return marker.end() if marker else start


def _ends(text: str, begin: int, end: int) -> list[int]:
    stops = [stop.end() for stop in _STOP.finditer(text, begin, end) if _is_end(text, begin, stop, end)]
    markers = [marker.start() for marker in _INLINE_MARKER.finditer(text, begin, end)]
    return sorted({*stops, *markers})


def _is_end(text: str, begin: int, stop: re.Match[str], end: int) -> bool:
    following = _NEXT_WORD.match(text, stop.end(), end)
    next_word = following[1] if following else ""
    if stop[0][0] == "…" or stop[0].startswith(".."):
        return not next_word or next_word[0].isupper()
    if stop[0] != ".":
        return True
    before = _LAST_WORD.search(text, max(begin, stop.start() - _LONGEST), stop.start())
    if before is None:
        return True
    word = before[0].lower()
    if _CAN_END.fullmatch(word):
        return not next_word or (next_word[0].isupper() and bool(_STARTER.fullmatch(next_word.lower())))
    if _NUMBERED.fullmatch(word):
        return not text[stop.end() : end].lstrip()[:1].isdigit()
    return not _ABBREVIATION.fullmatch(word) and not (len(word) == 1 and before[0].isupper())


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if _WORD.search(text, start, end):
        yield start, end
