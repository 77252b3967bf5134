"""One response on its way through the server: text and tokens in, pieces of what is said out."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

from rlhalt.cut.decision import Cut, Piece
from rlhalt.cut.splitting import unverified
from rlhalt.fragments import thinking
from rlhalt.records import Fragment
from rlhalt.serve.alignment import Alignment, Token
from rlhalt.serve.asked import Asked
from rlhalt.serve.scoring import Judge
from rlhalt.serve.settled import may_end, settled, streams


@dataclasses.dataclass(frozen=True)
class Decided:
    """A fragment with the probability that it is right (NaN where it has none), and whether it is said."""

    text: str
    probability: float
    said: bool


class Progress:
    """What is decided of one response.

    Args:
        judge: splits and scores.
        asked: the request; its temperature was calibrated.

    Attributes:
        decided: the fragments that are decided, in order.
        unscored: why the rest of the response is said without a probability; empty where all was scored.
    """

    def __init__(self, judge: Judge, asked: Asked) -> None:
        self._judge, self._asked = judge, asked
        self._cut = Cut(asked.threshold, judge.halting, judge.splitter.phrase)
        self.alignment = Alignment()
        self.decided: list[Decided] = []
        self.unscored = ""
        self._streams = streams(judge.splitter.fragmenter)

    @property
    def text(self) -> str:
        """The response so far."""
        return self.alignment.text

    @property
    def place(self) -> int:
        """How many of its characters are decided."""
        return self._cut.place

    @property
    def halted(self) -> bool:
        """Whether a causal response has ended."""
        return self._cut.halted

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self._cut.whole

    def add(self, text: str, tokens: Sequence[Token] | None, *, more: bool = False) -> list[Piece]:
        """Take what came next.

        Args:
            tokens: None where the upstream gave none with this text.
            more: whether the next text, or the end, is here already, so that all of it can be decided at once.

        Returns:
            What is said of it for certain.
        """
        self.alignment.add(text, tokens or ())
        if self.halted:
            return []
        if self.unscored:
            return [self._cut.rest(self.text)]
        if self.alignment.failure:
            return self.give_up(self.alignment.failure)
        if tokens is None and not self._scorable(len(self.text)):
            return self.give_up("the upstream gave no log-probabilities")
        if more or not self._streams or not may_end(self.text[self.place :]):
            return []
        return list(self._decide(ended=False))

    def end(self) -> list[Piece]:
        """The response is complete. Returns what is left to say."""
        self.alignment.end()
        if self.unscored:
            return [self._cut.rest(self.text)]
        pieces = list(self._decide(ended=True))
        return pieces if self.unscored else [*pieces, self._cut.end(self.text)]

    def give_up(self, reason: str) -> list[Piece]:
        """Say the rest without scoring it: what cannot be scored is not wrong."""
        if self.halted:
            return []
        self.unscored = self.unscored or reason
        return [self._cut.rest(self.text)]

    def _decide(self, *, ended: bool) -> Iterator[Piece]:
        text = self.text
        _, begin = thinking.split(text)
        if begin > self.place and not self.decided:
            yield self._cut.reasoning(begin)
        try:
            fragments = thinking.moved(self._judge.splitter.split(text[begin:]), begin)
        except Exception as error:  # noqa: BLE001 - a splitter of the user's own may break as it likes
            yield from self.give_up(f"the response cannot be split: {error}")
            return
        n_final = len(fragments) if ended else settled(text, fragments, self._judge.splitter.fragmenter)
        final = self._behind(fragments[:n_final])
        ready = list(itertools.takewhile(lambda one: one.label == "halt" or self._scorable(one.end), final))
        yield from self._score(ready)
        if ended and len(ready) < len(final):
            yield from self.give_up("expected log-probabilities for all of the text, found some missing")

    def _scorable(self, end: int) -> bool:
        """Whether all is there that the text up to `end` is scored by."""
        return self._judge.reads_text or end <= self.alignment.covered

    def _score(self, fragments: Sequence[Fragment]) -> Iterator[Piece]:
        if self.halted and self._judge.reads_text:
            # A pass over what is not said in any case would only keep its stream open.
            return
        likely = [self.alignment.log_probabilities(one.start, one.end) for one in fragments]
        try:
            found = self._judge.probabilities(self._asked.prompt, self.text, fragments, likely, self._asked.temperature)
        except Exception as error:  # noqa: BLE001 - a reward model may break as it likes
            yield from self.give_up(f"the fragments cannot be scored: {error}")
            return
        for one, probability in zip(fragments, found, strict=True):
            if self._judge.reads_text and math.isnan(probability) and one.label != "halt":
                yield from self.give_up("the reward model gives no finite probability")
                return
            yield self._take(one, probability)

    def _take(self, fragment: Fragment, probability: float) -> Piece:
        before = self._cut.n_said
        piece = self._cut.take(self.text, fragment, probability)
        self.decided.append(Decided(fragment.text, probability, self._cut.n_said > before))
        return piece

    def _behind(self, fragments: Sequence[Fragment]) -> list[Fragment]:
        """What of the fragments is not decided yet.

        Text that came later can join what was split before. What is decided stays so.
        """
        found, place = [], self.place
        for one in fragments:
            if one.end <= place:
                continue
            start = max(one.start, place)
            start += len(self.text[start : one.end]) - len(self.text[start : one.end].lstrip())
            whole = start == one.start
            rest = one if whole else dataclasses.replace(one, start=start, text=self.text[start : one.end])
            found.append(unverified(rest))
            place = one.end
        return found
