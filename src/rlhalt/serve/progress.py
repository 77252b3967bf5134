"""One response on its way through the server: text and tokens in, pieces of what is said out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from rlhalt.cut.decision import Cut, Piece
from rlhalt.cut.splitting import unverified
from rlhalt.fragments import thinking
from rlhalt.records import Fragment, Json
from rlhalt.serve.alignment import Alignment, Token
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
        asked: the body of the request.
        threshold: τ.
        temperature: at which the response is sampled; it was calibrated.

    Attributes:
        decided: the fragments that are decided, in order.
        unscored: why the rest of the response is said without a probability; empty where all was scored.
    """

    def __init__(self, judge: Judge, asked: Json, threshold: float, temperature: float) -> None:
        self._judge, self._asked, self._temperature = judge, asked, temperature
        self._cut = Cut(threshold, judge.halting, judge.splitter.phrase)
        self.alignment = Alignment()
        self.decided: list[Decided] = []
        self.unscored = ""
        self._fragments: list[Fragment] = []
        self._likely: list[list[float]] = []
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

    def add(self, text: str, tokens: Sequence[Token] | None) -> list[Piece]:
        """Take what came next.

        Args:
            tokens: None where the upstream gave none with this text.

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
        if tokens is None and self.alignment.covered < len(self.text):
            return self.give_up("the upstream gave no log-probabilities")
        if not self._streams or not may_end(self.text[self.place :]):
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
        if begin > self.place and not self._fragments:
            yield self._cut.reasoning(begin)
        try:
            fragments = thinking.moved(self._judge.splitter.split(text[begin:]), begin)
        except Exception as error:  # noqa: BLE001 - a splitter of the user's own may break as it likes
            yield from self.give_up(f"the response cannot be split: {error}")
            return
        n_final = len(fragments) if ended else settled(text, fragments, self._judge.splitter.fragmenter)
        for one in fragments[:n_final]:
            rest = self._behind(one)
            if rest is None:
                continue
            if self.alignment.covered < rest.end and rest.label != "halt":
                if ended:
                    yield from self.give_up("expected log-probabilities for all of the text, found some missing")
                return
            yield self._take(rest)

    def _take(self, fragment: Fragment) -> Piece:
        self._fragments.append(fragment)
        self._likely.append(self.alignment.log_probabilities(fragment.start, fragment.end))
        probability = self._judge.probability(self._asked, self._fragments, self._likely, self._temperature)
        before = self._cut.n_said
        piece = self._cut.take(self.text, fragment, probability)
        self.decided.append(Decided(fragment.text, probability, self._cut.n_said > before))
        return piece

    def _behind(self, one: Fragment) -> Fragment | None:
        """The part of a fragment that is not decided yet; None where all of it is.

        Text that came later can join what was split before. What is decided stays so.
        """
        if one.end <= self.place:
            return None
        start = max(one.start, self.place)
        start += len(self.text[start : one.end]) - len(self.text[start : one.end].lstrip())
        return unverified(
            one if start == one.start else dataclasses.replace(one, start=start, text=self.text[start : one.end])
        )
