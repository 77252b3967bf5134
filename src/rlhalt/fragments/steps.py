"""Reasoning steps, with the character offsets where they stand in the response.

HALT (arXiv 2506.04051) splits maths at every "=" and line end. Half an equation ("48/2") can be neither right nor
wrong, so here a step is the shortest piece that states something:

- A line is a step; so is each sentence of a line, and what follows "Step 2:" in the middle of one.
- A chain is cut before its second and later "=": "3(4+5) = 3·9 = 27" states "3(4+5) = 3·9" and "= 27", and either can
  be the first wrong one. A name before it is part of its first link ("Total = 9·2 = 18"). Two equations with words
  between them ("2+3 = 5 apples and 5-1 = 4 are left") are one step, because no rule finds the words where the second
  one begins.

Nothing is cut inside of LaTeX, calculator annotations (<<48/2=24>>), numbers, amounts of money and units with a full
stop. List markers, numbers of lines and "Step 2:" belong to no fragment.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from rlhalt.fragments.endings import explicit, with_answers
from rlhalt.fragments.halts import with_halts
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Fragment

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_STEP = re.compile(r"[\W_]*\bstep\s+\d{1,3}\b[\W_]*?(?:[:.)\-–—][*_]*(?=\s|$)\s*|$)", re.IGNORECASE)
_INNER_STEP = re.compile(r"(?<=\s)[*_]*step\s+\d{1,3}[*_]*[:.)]", re.IGNORECASE)
_NUMBER_ALONE = re.compile(r"[\s*_(\[]*\d+[.)\]][\s*_]*")
_FENCE = re.compile(r"\s*(?:```|~~~)[\w+-]*\s*")

# Between single dollars only where they cannot be money (Pandoc's rule): no space inside the ends, no digit after.
_KEPT = re.compile(
    r"<<[^<>\n]*>>"
    r"|\$\$.{1,999}?\$\$|\$(?![\s$])[^$\n]*?(?<![\s\\$])\$(?!\d)"
    r"|\\\(.{1,999}?\\\)|\\\[.{1,999}?\\\]"
    r"|\{[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*\}"
)
_UNIT = re.compile(
    r"(?:^|[\s\d])(?:avg|cm|doz|eq|eqs|fig|ft|gal|hr|hrs|in|kg|lb|lbs|max|min|mins|mo|oz|pcs|qt|sec|secs|tbsp|tsp|wk|wks|"
    r"yd|yds|yr|yrs|[ap]\.m)\.$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"\s*(?:[a-z=+*/×÷·<>≈]|[-–−]\s*\$?\d)")
_EQUALS = re.compile(r"(?<![=<>!:])=(?!=|>|<(?!<))")
# What may stand between two "=" of one chain: numbers, operators, brackets, LaTeX, single letters, at most two words of
# unit after a number.
_LINK = re.compile(
    r"\s*(?:\\[a-zA-Z]+|\\.|(?<=\d),(?=\d)|[\d.\s$€£¢%+*/×÷·^_(){}\[\]<>≈&\-–−]|<<[^<>]*>>|\b[a-zA-Z]\b|(?<=\d)[a-zA-Z]\b"
    r"|(?<=[\d>] )[^\W\d_]+(?:\s[^\W\d_]+)?(?=\s*$))+",
)
_NUMBER_ENDS = re.compile(r"[\d)\]}%¢½¼¾>](?:\s*[^\W\d_]+){0,3}[\s$*_]*$")


def steps(text: str, phrase: str = HALT_PHRASE) -> list[Fragment]:
    """Cut a response into reasoning steps, in the order of the text; nothing is judged yet.

    Each fragment is of kind `step`, `halt` where it is the halting phrase alone, or `answer` where it states the final
    answer ("A: 26", "#### 26", "The answer is 26."; see `rlhalt.fragments.endings`). It has at least one letter or
    digit, and no white space at its ends.

    Args:
        text: the response.
        phrase: what the domain halts with.

    >>> [(one.kind, one.text) for one in steps("Step 1: 9 × 2 = 18 = 6 × 3\\n**She makes $18.**")]
    [('step', '9 × 2 = 18'), ('step', '= 6 × 3'), ('answer', '**She makes $18.**')]
    """
    found = [fragment for line in _LINE.finditer(text) for fragment in _of_line(text, line.start(), line.end(), phrase)]
    # A last step is the answer only where no halt follows it, also one of several sentences.
    return with_answers(with_halts(text, found, phrase))


def _of_line(text: str, begin: int, end: int, phrase: str) -> Iterator[Fragment]:
    if _FENCE.fullmatch(text, begin, end):
        return
    if _NUMBER_ALONE.fullmatch(text, begin, end) and not text[end:].strip():
        # "18." as the last line is an answer, and no mark of a list.
        yield from _fragment(text, begin, end, "step")
        return
    marks = [mark.start() for mark in _INNER_STEP.finditer(text, begin, end)]
    for start, stop in itertools.pairwise([begin, *marks, end]):
        numbered = _STEP.match(text, start, stop)
        yield from _of_part(text, numbered.end() if numbered else start, stop, phrase)


def _of_part(text: str, begin: int, end: int, phrase: str) -> Iterator[Fragment]:
    part = text[begin:end]
    if "####" in part and explicit(part):
        # `sentences` would take the four hashes for a heading's mark.
        yield from _fragment(text, begin, end, "answer" if any(map(str.isdecimal, part)) else "step")
        return
    inside = bytearray(len(part) + 1)
    for mark in _KEPT.finditer(part):
        inside[mark.start() + 1 : mark.end()] = b"\1" * (len(mark[0]) - 1)
    pieces: list[tuple[int, int, str]] = []
    for one in sentences(part, phrase):
        if pieces and (inside[pieces[-1][1]] or _is_unit(part, pieces[-1][1])):
            pieces[-1] = (pieces[-1][0], one.end, "sentence")
        else:
            pieces.append((one.start, one.end, one.kind))
    for start, stop, kind in pieces:
        if kind == "halt" or explicit(part[start:stop]):
            yield from _fragment(text, begin + start, begin + stop, "halt" if kind == "halt" else "step")
            continue
        cuts = [begin + cut for cut in _links(part, start, stop, inside)]
        for left, right in itertools.pairwise([begin + start, *cuts, begin + stop]):
            yield from _fragment(text, left, right, "step")


def _is_unit(part: str, end: int) -> bool:
    """Whether the full stop before `end` belongs to a unit, and the sentence goes on."""
    return bool(_UNIT.search(part, max(0, end - 8), end) and _GOES_ON.match(part, end))


def _links(part: str, start: int, stop: int, inside: bytearray) -> list[int]:
    """Where a sentence is cut at "=": before each that goes on a chain."""
    signs = [sign.start() for sign in _EQUALS.finditer(part, start, stop) if not inside[sign.start()]]
    if len(signs) > 1 and not _NUMBER_ENDS.search(part, start, signs[0]):
        del signs[0]  # "Total = 9 * 2 = 18": what is calculated has a name
    return [second for first, second in itertools.pairwise(signs) if _LINK.fullmatch(part, first + 1, second)]


def _fragment(text: str, start: int, end: int, kind: str) -> Iterator[Fragment]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if any(char.isalnum() for char in text[start:end]):
        yield Fragment(start, end, kind, text[start:end])
