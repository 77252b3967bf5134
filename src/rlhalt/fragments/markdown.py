"""The parts of a response that hold statements, as markdown lays them out. Offsets are those of the response.

Markdown is read, not judged: what has words is in a part; what is only layout (rules, code fences, the outer bars of a
table's rows) is in none. A part is

- a line, as a rule; list items, headings and labels stand on lines of their own; `<br>` and the end of an HTML block
  end a line too;
- a line of code between fences (``` or ~~~);
- a row of a table, without its outer bars: what its cells say, they say together;
- a paragraph of hard-wrapped lines, where a reader sees that a sentence goes on on the next line.

A line end is a wrap where the line ends in no stop, no colon and no mark of a hard break (two spaces, a backslash), the
next line opens no list item, quote, heading, table, label or fence, and one of these holds:

- the line ends in a comma or in a word that ends no sentence ("the", "of", "and"), and the next line does not open a
  sentence ("The", "It");
- the next line begins in lower case though the paragraph does not; a short line that states something is still not
  joined with one that opens as a statement ("the capital is ...");
- the line has a verb, and the next one begins with up to three words that have none and a full
  stop ("in East⏎Africa.");
- the line is full: it has 60 characters or more, the next word would have made it the longest of its paragraph, and
  another line end of the paragraph is a wrap by the rules above.

So a list without markers, a poem with capitals and answers of short lines keep their lines.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from rlhalt.fragments.stops import HAS_VERB, STARTERS, TITLES

Kind = Literal["line", "code", "row"]

_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_HTML_LINE_END = re.compile(_LINE_END.pattern + r"|<br\s{0,9}/?>|(?:(?<=</p>)|(?<=</li>)|(?<=</div>)|(?<=</h\d>))(?=.)")
_QUOTE = r"[ \t]*(?:>[ \t]?)*"
_FENCE = re.compile(_QUOTE + r"(?:[-*•+][ \t]+|\d{1,3}[.)][ \t]+)?(`{3,}|~{3,})[^`]*$")
_RULE = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_ROW = re.compile(r"[ \t>]*\|?\s*(.*?)\s*\|?\s*$")
_OPENS = re.compile(
    r"\s*(?:[-*•◦‣·–—+▪■●○►➤➢✓✔✅❌](?:\s|$)|[>#|=]|[-_*]{3}|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)]\s"
    r"|[*_]{1,3}[^*_]{1,60}(?::[*_]|[*_]{1,3}:)|[A-Z][^.!?:]{0,29}:\s)"
)
_FIRST_WORD = re.compile(r"\s*(?:(?:[-*•+>]|#{1,6}|\(?\d{1,3}[.)])\s+)*[\"'“‘«(\[*_]*((?:[^\W\d_]{2,}|[aAI](?=\s))?)")
_NO_WRAP = re.compile(r"(?:[.!?…:;。！？।؟|>][\"'”’»)\]*_]*| {2}|\\)$")
_DANGLES = re.compile(
    r"(?:[,،、]|\b(?:a|an|the|of|and|or|to|with|from|by|for|in|on|is|are|was|were|as|at|its|their|whose|than|into|between))$"
)
_TITLE = re.compile(r"\b([A-Z][a-z]{1,5})\.$")
_STOP = re.compile(r"[.!?](?=\s|$)")
_STATEMENT = re.compile(r"(?:the|it|its|he|she|they|we|i|there|this|these|those)\b")
_FEW_WORDS = re.compile(r"[^\s.!?]+(?:\s[^\s.!?]+){0,2}\.(?=\s|$)")
_LONG = 60  # characters; shorter lines are not full


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a text, from `start` to `end`; one of kind `line` holds a line end where its paragraph is wrapped."""

    start: int
    end: int
    kind: Kind


@dataclasses.dataclass(frozen=True)
class _Line:
    start: int
    end: int
    text: str
    ending: str


def parts(text: str) -> list[Part]:
    """The parts of a text that hold statements, in its order; they do not overlap.

    >>> text = "| City | Land |\\n| --- | --- |\\n| Lima | Peru |"
    >>> [text[one.start : one.end] for one in parts(text)]
    ['City | Land', 'Lima | Peru']
    """
    ending = _HTML_LINE_END if "<" in text else _LINE_END
    if not ending.search(text) and "```" not in text:
        return [Part(0, len(text), "line")]
    return list(_parts(_lines(text, ending)))


def _lines(text: str, ending: re.Pattern[str]) -> list[_Line]:
    found = []
    start = 0
    for end in ending.finditer(text):
        found.append(_Line(start, end.start(), text[start : end.start()], end[0]))
        start = end.end()
    return [*found, _Line(start, len(text), text[start:], "")]


def _parts(lines: Sequence[_Line]) -> Iterator[Part]:
    fence = ""
    table = False
    paragraph: list[_Line] = []
    for at, line in enumerate(lines):
        mark = _FENCE.match(line.text) if "```" in line.text or "~~~" in line.text else None
        if fence:
            if mark and mark[1].startswith(fence) and not line.text.strip("`~> \t"):
                fence = ""
            else:
                yield Part(line.start, line.end, "code")
            continue
        ruled = "|" in line.text and at + 1 < len(lines) and _is_rule(lines[at + 1].text)
        table = ruled or (table and "|" in line.text)
        if mark or table or not line.text.strip():
            yield from _paragraph(paragraph)
            paragraph = []
            fence = mark[1] if mark else ""
            if table and not mark and not _is_rule(line.text):
                row = _ROW.match(line.text)
                assert row is not None
                yield Part(line.start + row.start(1), line.start + row.end(1), "row")
        else:
            paragraph.append(line)
    yield from _paragraph(paragraph)


def _is_rule(line: str) -> bool:
    return "|" in line and "-" in line and bool(_RULE.match(line))


def _paragraph(lines: Sequence[_Line]) -> Iterator[Part]:
    """The lines of a paragraph; wrapped ones together."""
    if not lines:
        return
    may = [_may_wrap(line, following) for line, following in itertools.pairwise(lines)]
    if any(may):
        capital = _first_word(lines[0])[:1].isupper()
        wraps = [
            can and _goes_on(line, following, capital)
            for can, line, following in zip(may, lines, lines[1:], strict=False)
        ]
        longest = max(len(one.text) for one in lines)
        if any(wraps) and longest >= _LONG:
            wraps = [
                is_wrap or (can and len(line.text) >= _LONG and len(line.text) + 1 + _length(following) > longest)
                for is_wrap, can, line, following in zip(wraps, may, lines, lines[1:], strict=False)
            ]
    else:
        wraps = may
    start = 0
    for at, is_wrap in enumerate([*wraps, False]):
        if not is_wrap:
            yield Part(lines[start].start, lines[at].end, "line")
            start = at + 1


def _first_word(line: _Line) -> str:
    found = _FIRST_WORD.match(line.text)
    return found[1] if found else ""


def _length(line: _Line) -> int:
    """How long the first word of a line is, with its punctuation."""
    return len(line.text.split(maxsplit=1)[0])


def _may_wrap(line: _Line, following: _Line) -> bool:
    if line.ending not in ("\n", "\r\n") or _OPENS.match(following.text):
        return False
    if line.text.lstrip().startswith("#") or "=" in line.text or "=" in following.text:  # headings, equations
        return False
    if _NO_WRAP.search(line.text[-9:]):
        title = _TITLE.search(line.text[-9:])
        return title is not None and title[1].lower() in TITLES
    return True


def _goes_on(line: _Line, following: _Line, capital: bool) -> bool:
    """Whether a sentence goes on over the line end.

    Args:
        capital: whether the paragraph begins with a capital letter.
    """
    word = _first_word(following)
    if word[:1].isupper() and word.lower() in STARTERS:
        return False
    if _DANGLES.search(line.text[-9:]) or line.text.endswith("."):
        return True
    if word[:1].islower() and capital:
        opens = len(line.text) < _LONG and _STATEMENT.match(following.text.lstrip())
        return not (opens and HAS_VERB.search(_STOP.split(following.text, 1)[0]) and HAS_VERB.search(line.text))
    few = _FEW_WORDS.match(following.text.lstrip())
    return bool(few and HAS_VERB.search(line.text) and not HAS_VERB.search(few[0]))
