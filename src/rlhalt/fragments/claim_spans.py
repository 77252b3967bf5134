"""Where in a sentence each of the statements made of it stands.

People and models who split a sentence into atomic statements write them anew ("She was born in Oslo." of "Ada, born in
Oslo in 1902, was a painter."). A fragment is a piece of the text itself, so each statement is given the words that it
*adds*: those it is the first to say, in the order the statements come.

    0 Ada Berg is Norwegian.   1 Ada Berg is a painter.   2 Ada Berg was born in 1902.   3 Her birth was in 1902.

    Ada Berg is a Norwegian painter born in 1902.
    0---------------------- 1------ 2, 3---------

The added words of a statement that stand together are a run; of several runs the heaviest counts, where a word that
many statements say (the subject's name) weighs little. Runs hold no word that another statement adds, so the pieces
cannot overlap. A statement that adds nothing joins the one whose words it repeats. What no statement says is in no
piece.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from rlhalt.chat.token_spans import common_prefix

_WORD = re.compile(r"\d+(?:[.,]\d+)*s?|[^\W\d_]+(?:['’][^\W\d_]+)*|\w+")
_FUNCTION_WORDS = """
a about after all also an and any are as at be became been before being between both but by can did do does during each
for from had has have he her hers him his how i if in including into is it its itself may more most no nor not of on one
or other our over own she since so some such than that the their them then there these they this those through
throughout to under until up upon was we were what when where which while who whom whose will with within would you
"""
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
_OPENING, _CLOSING = frozenset("\"'“‘«([{$€£#*_"), frozenset("\"'”’»)]}.,;:!?…%*_")
_LONGEST_ENDING = 3  # letters: "appear" and "appeared", "writer" and "writers"
_SHORTEST_STEM = 4


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of a text and the statements that it makes.

    Attributes:
        start, end: character offsets into the text.
        statements: their numbers, from 0, ascending.
    """

    start: int
    end: int
    statements: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class _Word:
    start: int
    end: int
    plain: str

    @property
    def says(self) -> bool:
        """Whether it says something by itself."""
        return self.plain not in _FUNCTION


def pieces(text: str, statements: Sequence[str]) -> list[Piece]:
    """The pieces of a text that its statements are about, in the order of the text.

    Every statement is in exactly one piece; pieces do not overlap, hold at least one letter or digit and have no white
    space at their ends. Where no statement shares a word with the text, all of it is one piece.

    Raises:
        ValueError: a text without a letter or digit.
    """
    words = _words(text)
    if not words:
        raise ValueError("expected a text with a letter or digit")
    said = [_said(words, _words(one)) for one in statements]
    weights = _weights(said)
    runs = _places(said, weights)
    if not runs:
        return [Piece(words[0].start, _closed(text, words[-1].end, len(text)), tuple(range(len(statements))))]
    members = _members(said, runs, weights)
    return _cut(text, words, said, runs, members)


def _words(text: str) -> list[_Word]:
    return [_Word(one.start(), one.end(), one[0].casefold().replace("’", "'")) for one in _WORD.finditer(text)]


def _same(one: str, other: str) -> bool:
    """Whether two words are forms of one: "film" and "films", "1990" and "1990s", "Hudson's" and "Hudson"."""
    one, other = one.removesuffix("'s"), other.removesuffix("'s")
    if one == other:
        return True
    if one[0].isdigit() or other[0].isdigit():
        return one.removesuffix("s") == other.removesuffix("s")
    shared = common_prefix(one, other)
    return shared >= _SHORTEST_STEM and max(len(one), len(other)) - shared <= _LONGEST_ENDING


def _said(words: Sequence[_Word], statement: Sequence[_Word]) -> frozenset[int]:
    """Which words of the text a statement says: for each of its own one place, all of them as near as can be."""
    # Viterbi: the cost of a path is how far each word stands from where it would follow the one before.
    paths: dict[int, tuple[int, tuple[int, ...]]] = {}
    for one in statement:
        if one.says and (places := _matches(words, one)):
            before = paths
            paths = {}
            for at in places:
                ways = [(cost + _jump(last, at), (*way, at)) for last, (cost, way) in before.items()]
                paths[at] = min(ways, default=(0, (at,)))
    return frozenset(min(paths.values(), default=(0, ()))[1])


def _matches(words: Sequence[_Word], one: _Word) -> list[int]:
    """Where a word stands in the text; where it does not, where another form of it does."""
    exact = [at for at, word in enumerate(words) if word.plain == one.plain]
    return exact or [at for at, word in enumerate(words) if word.says and _same(word.plain, one.plain)]


def _jump(last: int, at: int) -> int:
    return at - last - 1 if at > last else last - at + 2


def _weights(said: Sequence[Collection[int]]) -> dict[int, float]:
    """What each word of the text that is said tells: next to nothing where all say it, the more the fewer do."""
    counts = Counter(at for some in said for at in some)
    return {at: 1 / counts[at] - 1 / (len(said) + 1) for at in sorted(counts)}


def _places(said: Sequence[Collection[int]], weights: Mapping[int, float]) -> dict[int, tuple[int, ...]]:
    """The words that stand for each statement that adds any: the heaviest run of what it adds."""
    adds = {at: next(one for one, some in enumerate(said) if at in some) for at in weights}
    places: dict[int, tuple[int, ...]] = {}
    for statement, group in itertools.groupby(adds, key=lambda at: adds[at]):
        run = tuple(group)
        # Of two as heavy ones the later: a sentence begins with what it is about.
        before = places.get(statement, ())
        if sum(weights[at] for at in run) >= sum(weights[at] for at in before):
            places[statement] = run
    return places


def _members(
    said: Sequence[Collection[int]], runs: Mapping[int, tuple[int, ...]], weights: Mapping[int, float]
) -> dict[int, tuple[int, ...]]:
    """The statements at each place: the one that adds its words, and those that repeat most of them."""
    host = {one: one for one in runs}
    for one, some in enumerate(said):
        if one not in runs:
            repeated = {other: sum(weights[at] for at in run if at in some) for other, run in runs.items()}
            best = max(
                runs, key=lambda other: (repeated[other] / sum(weights[at] for at in runs[other]), repeated[other])
            )
            # Where it repeats none of them, it stands beside the statement before it, or the first that has a place.
            host[one] = best if repeated[best] else host.get(one - 1, min(runs))
    return {place: tuple(one for one in sorted(host) if host[one] == place) for place in runs}


def _cut(
    text: str,
    words: Sequence[_Word],
    said: Sequence[Collection[int]],
    runs: Mapping[int, tuple[int, ...]],
    members: Mapping[int, tuple[int, ...]],
) -> list[Piece]:
    """From runs of words to pieces of text: small words and what is said again join them, and punctuation."""
    ordered = sorted(runs, key=lambda one: runs[one][0])
    # Where the run after this one begins, no further.
    limits = [*(runs[one][0] for one in ordered[1:]), len(words)]
    found: list[Piece] = []
    free = 0
    for place, limit in zip(ordered, limits, strict=True):
        again = {at for one in members[place] for at in said[one]}
        first, last = runs[place][0], runs[place][-1]
        while first > free and (first - 1 in again or not words[first - 1].says):
            first -= 1
        for at in range(last + 1, limit):
            if at in again:
                last = at
            elif words[at].says:
                break
        begin = found[-1].end if found else 0
        end = words[last + 1].start if last + 1 < len(words) else len(text)
        found.append(
            Piece(_opened(text, words[first].start, begin), _closed(text, words[last].end, end), members[place])
        )
        free = last + 1
    return found


def _opened(text: str, start: int, begin: int) -> int:
    while start > begin and text[start - 1] in _OPENING:
        start -= 1
    return start


def _closed(text: str, end: int, limit: int) -> int:
    while end < limit and text[end] in _CLOSING:
        end += 1
    return end
