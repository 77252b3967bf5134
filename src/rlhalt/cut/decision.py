"""Which fragments are said at a threshold τ, and the text that they make.

The rule takes one fragment after the other and never takes back what was said, so that a server can stream by it
(`rlhalt.serve`). `rlhalt answer` and `rlhalt evaluate --cut` apply the same rule to a whole response.

A sentence that says how sure the response is ("I am unsure.") is not right or wrong: it is said iff the fragment before
it is. At the beginning it speaks of the whole answer, of which the cut says a part: there it is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rlhalt.fragments.stated_confidence import is_confidence
from rlhalt.records import Fragment
from rlhalt.rewards import Halting


def is_said(fragment: Fragment, probability: float, threshold: float, before: bool = False) -> bool:
    """Whether a fragment is said at τ: a halt is, and what is right with probability τ or more.

    Args:
        probability: that the fragment is right; NaN where it is not known, which is left out.
        before: whether the fragment before it is said, which decides about a stated confidence.
    """
    if is_confidence(fragment):
        return before
    return fragment.label == "halt" or probability >= threshold


def kept(fragments: Sequence[Fragment], probability: Sequence[float], threshold: float, halting: Halting) -> list[int]:
    """The numbers of the fragments that are said at τ.

    In an independent domain each fragment is decided by itself. In a causal domain what follows the first doubtful
    fragment is left out too. What has no probability is left out; a halt that the model generated stays.

    Args:
        probability: that each fragment is right; NaN where it is not known.

    >>> parts = [Fragment(at, at + 1, "step", "abc"[at]) for at in range(3)]
    >>> kept(parts, [0.9, 0.4, 0.8], 0.5, "independent"), kept(parts, [0.9, 0.4, 0.8], 0.5, "causal")
    ([0, 2], [0])
    """
    found: list[int] = []
    for number, (one, value) in enumerate(zip(fragments, probability, strict=True)):
        if is_said(one, value, threshold, found[-1:] == [number - 1]):
            found.append(number)
        elif halting == "causal" and not is_confidence(one):
            break
    return found


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of what is said: `added`, which is not in the response, then `response[start:end]`."""

    start: int
    end: int
    added: str = ""

    def text(self, response: str) -> str:
        """The text of the piece."""
        return self.added + response[self.start : self.end]


class Cut:
    """What is said of one response at τ.

    Each fragment that is said has before it what stood between it and the fragment before (white space, list marks).
    Where nothing is left out the response stays as it is, to the last character. Where all is left out, and where a
    causal response meets its first doubtful fragment, the halting phrase is said.

    >>> response, cut = "A is B. C is D.", Cut(0.5, "independent", "Unsure from here.")
    >>> first, second = Fragment(0, 7, "sentence", "A is B."), Fragment(8, 15, "sentence", "C is D.")
    >>> pieces = [cut.take(response, first, 0.4), cut.take(response, second, 0.6), cut.end(response)]
    >>> "".join(one.text(response) for one in pieces)
    'C is D.'

    Args:
        threshold: τ.
        halting: what the domain's fragments mean for each other.
        phrase: what the domain halts with.

    Attributes:
        place: how many characters of the response are decided.
        n_said, n_left_out: fragments.
        halted: whether a causal response has ended; nothing more of it is said.
    """

    def __init__(self, threshold: float, halting: Halting, phrase: str) -> None:
        self._threshold, self._halting, self._phrase = threshold, halting, phrase
        self.place = self.n_said = self.n_left_out = 0
        self.halted = False
        self._gap = self._resting = self._before = False

    @property
    def whole(self) -> bool:
        """Whether nothing was left out so far."""
        return not (self.n_left_out or self.halted)

    def reasoning(self, begin: int) -> Piece:
        """The reasoning before the answer, which begins at `begin`: it is said as it is."""
        piece = Piece(self.place, max(begin, self.place))
        self.place = piece.end
        return piece

    def take(self, response: str, fragment: Fragment, probability: float) -> Piece:
        """What is said for the next fragment.

        Args:
            response: the response, as far as it is known: to the end of the fragment at least.
            probability: that the fragment is right; NaN where it is not known.
        """
        before, self.place = self.place, fragment.end
        self._before = not self.halted and is_said(fragment, probability, self._threshold, self._before)
        if not self._before:
            self.n_left_out += 1
            self._gap = True
            halts = self._halting == "causal" and not self.halted and not is_confidence(fragment)
            return self._halt(response, before) if halts else Piece(before, before)
        lead = response[before : fragment.start]
        if not self.n_said and self.n_left_out:
            piece = Piece(fragment.start - len(lead.lstrip()), fragment.end)
        else:
            piece = Piece(fragment.start - len(lead), fragment.end, "" if lead or not self._gap else " ")
        self.n_said += 1
        self._gap = False
        return piece

    def rest(self, response: str) -> Piece:
        """All that is not decided yet, as it is: for what cannot be scored, which is not wrong."""
        start, self.place = self.place, len(response)
        if self.n_left_out and not self.n_said and not self._resting:
            # As before a first fragment.
            start = self.place - len(response[start:].lstrip())
        self._resting = self._resting or start < self.place
        return Piece(start, self.place)

    def end(self, response: str) -> Piece:
        """What is said behind the last fragment: the rest where nothing was left out, the phrase where all was."""
        before, self.place = self.place, len(response)
        if self.halted:
            return Piece(before, before)
        if self.whole:
            return Piece(before, self.place)
        return Piece(self.place, self.place, "" if self.n_said else self._phrase)

    def _halt(self, response: str, place: int) -> Piece:
        """The phrase where the doubtful fragment would have begun, after the same white space.

        What continues and what halts then part where most tokenizers part them too.
        """
        self.halted = True
        rest = response[place:]
        blank = rest[: len(rest) - len(rest.lstrip())]
        return Piece(place, place, ((blank or " ") if self.n_said else "") + self._phrase)
