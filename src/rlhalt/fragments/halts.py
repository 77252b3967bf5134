"""Halting phrases in the fragments of any splitter, one that has never heard of them too.

    response ─ any splitter ─► [X is Y. Unsure from here.] ─ with_halts ─► [X is Y.] [Unsure from here.]

The phrase is looked for in the response itself, where it stands as a sentence or as a line of its own. A fragment that
is the phrase, or pieces of it, becomes one fragment of kind `halt`; a fragment with other words beside it is cut there.
"I am unsure from here on." is no halt. What stands in a program is left to the splitter of programs, which knows a
comment from a string.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Sequence

from rlhalt.fragments.halting_phrase import is_halt, normal_form
from rlhalt.records import HALT_PHRASE, Fragment

# Kinds of `rlhalt.fragments.code`.
_OF_PROGRAMS = frozenset({"statement", "header", "line"})
_END = re.compile(
    r"[.!?…]+[\"'”’»)\]*_~`]*(?=\s|$)|(?<=[^\W\d_]{2})[.!?](?=[A-ZÀ-Þ])|[。！？।؟]+|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+"
)
_WORD = re.compile(r"[^\W_]")


def with_halts(text: str, fragments: Sequence[Fragment], phrase: str = HALT_PHRASE) -> list[Fragment]:
    """The fragments of a response, with each halting phrase as a fragment of kind `halt`.

    A phrase that no fragment covers becomes one at the end of the response only; elsewhere the splitter's word counts.
    The default phrase is no halt where the domain has another one.

    Args:
        text: the response.
        fragments: as a splitter made them, in the order of the text.
        phrase: what the domain halts with.
    """
    fragments = [_unmarked(one, phrase) for one in fragments]
    if not _may_hold(text, phrase):
        return fragments
    found = [_marked(one, phrase) for one in fragments]
    for start, end in _halts(text, phrase):
        found = _cut(text, found, start, end)
    return found


@functools.lru_cache(maxsize=64)
def _longest_word(phrase: str) -> str:
    return max(normal_form(phrase).split(), key=len, default="")


def _may_hold(text: str, phrase: str) -> bool:
    """A quick look that rules out most responses: of ASCII text the normal form keeps runs of letters as they are."""
    word = _longest_word(phrase)
    return bool(word) and (not text.isascii() or word in text.lower().replace("'", ""))


def _marked(fragment: Fragment, phrase: str) -> Fragment:
    if fragment.kind in _OF_PROGRAMS or not is_halt(fragment.claim or fragment.text, phrase):
        return fragment
    return dataclasses.replace(fragment, kind="halt")


def _unmarked(fragment: Fragment, phrase: str) -> Fragment:
    """The fragment; a sentence where it is the default phrase and the domain has another one.

    A splitter of the user's own that calls `sentences(text)` looks for the default phrase.
    """
    if fragment.kind != "halt" or not is_halt(fragment.text) or is_halt(HALT_PHRASE, phrase):
        return fragment
    return dataclasses.replace(fragment, kind="sentence")


def _halts(text: str, phrase: str) -> Iterator[tuple[int, int]]:
    """Where the phrase stands between ends of sentences or lines, without white space around it."""
    units = list(_units(text))
    size = sum(1 for _ in _units(phrase))
    for first, last in zip(units, units[size - 1 :], strict=False):
        if is_halt(text[first[0] : last[1]], phrase):
            yield first[0], last[1]


def _units(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    for end in [*(one.end() for one in _END.finditer(text)), len(text)]:
        if span := _trimmed(text, begin, end):
            yield span
        begin = end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """A span without white space at its ends; None where no letter or digit is in it."""
    part = text[start:end]
    if not _WORD.search(part):
        return None
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _cut(text: str, fragments: list[Fragment], start: int, end: int) -> list[Fragment]:
    touched = [one for one in fragments if one.start < end and start < one.end]
    if any(one.kind == "halt" or one.kind in _OF_PROGRAMS for one in touched):
        return fragments
    if not touched and _WORD.search(text, end):
        return fragments
    rest = [part for one in fragments for part in (_parts(text, one, start, end) if one in touched else [one])]
    halt = Fragment(start, end, "halt", text[start:end])
    return sorted([*rest, halt], key=lambda one: one.start)


def _parts(text: str, fragment: Fragment, start: int, end: int) -> list[Fragment]:
    """What is left of a fragment before and after a halt; a claim, which is said in words of its own, stays one."""
    spans = [_trimmed(text, fragment.start, start), _trimmed(text, end, fragment.end)]
    parts = [
        dataclasses.replace(fragment, start=span[0], end=span[1], text=text[span[0] : span[1]])
        for span in spans
        if span is not None
    ]
    return parts[:1] if fragment.claim else parts
