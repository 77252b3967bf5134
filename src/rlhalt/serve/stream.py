"""A response as server-sent events, cut at τ.

    upstream's events ─► waiting, in order ─► text decided ─► sent as they came, with other text, or not at all

An event is sent when all of its text is decided. Where all of it is said, its bytes are the upstream's; where a part
is, its text is replaced; an event of text that is left out is not sent. Events without text keep their place.
"""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from rlhalt.cut.decision import Piece
from rlhalt.serve import report, wire
from rlhalt.serve.alignment import Token
from rlhalt.serve.asked import FIELD, Asked
from rlhalt.serve.events import LONGEST, Event, Reader
from rlhalt.serve.json_edit import replaced
from rlhalt.serve.progress import Progress
from rlhalt.serve.scoring import Judge

_DONE = b"[DONE]"


@dataclasses.dataclass(frozen=True)
class _Waiting:
    """An event with the part of the text that it brings, `text[start:end]`, and of the tokens, `first` up to `last`."""

    event: Event
    body: Any
    start: int
    end: int
    first: int
    last: int

    @property
    def finish(self) -> bool:
        """Whether it says why the response ended."""
        return wire.at(self.body, wire.FINISH) is not None

    @property
    def bare(self) -> bool:
        """Whether it brings text and nothing else."""
        extra = wire.at(self.body, (*wire.CHOICE, "delta", "role")) or wire.reasoning(self.body, stream=True)
        return self.end > self.start and not self.finish and not extra and not wire.at(self.body, ("usage",))


class StreamCut:
    """One stream on its way through: bytes in, bytes out.

    Attributes:
        progress: what is decided of the text.
        begun: whether text has come, so that it is known whether it can be scored.
        done: whether all is said, so that nothing more of the upstream is needed.
    """

    def __init__(self, asked: Asked, judge: Judge) -> None:
        self._asked, self._judge = asked, judge
        self.progress = Progress(judge, asked)
        self.begun = self.done = False
        self._reader = Reader()
        self._waiting: deque[_Waiting] = deque()
        self._pieces: deque[Piece] = deque()
        self._n_tokens = 0
        self._ended = self._reasoned = False
        self._like: _Waiting | None = None

    def feed(self, chunk: bytes) -> bytes:
        """What can be sent once these bytes have come."""
        if self.done:
            return b""
        events = self._reader.feed(chunk)
        for number, one in enumerate(events, 1):
            # One pass of a reward model for all that came at once.
            self._take(one, more=self._judge.reads_text and number < len(events))
        if len(self._reader.rest) > LONGEST:
            self._pieces += self.progress.give_up(f"an event of more than {LONGEST} bytes")
            rest, self._reader.rest = self._reader.rest, b""
            return b"".join(self._sent()) + rest
        return b"".join(self._sent())

    def end(self) -> bytes:
        """What is left to send when the upstream has sent all."""
        if self.done:
            return b""
        self._end()
        return b"".join(self._sent()) + b"".join(self._added(None)) + self._reader.rest

    def break_off(self) -> bytes:
        """What is left to send when the upstream has broken off; a fragment that it began is taken as it is."""
        if self.done:
            return b""
        self._end()
        return b"".join(self._sent()) + self._reader.rest

    def _take(self, event: Event, *, more: bool) -> None:
        text, body = "", None
        tokens: Sequence[Token] | None = ()
        if event.data == _DONE:
            self._end()
        elif event.data is not None:
            try:
                body = json.loads(event.data)
            except (ValueError, RecursionError) as error:
                self._pieces += self.progress.give_up(f"expected events of JSON, found {error}")
            else:
                text, tokens = self._content(body)
        start, first = len(self.progress.text), self._n_tokens
        if not self._ended:
            self._n_tokens += len(tokens or ())
            self._pieces += self.progress.add(text, tokens, more=more)
        waiting = _Waiting(event, body, start, len(self.progress.text), first, self._n_tokens)
        self._waiting.append(waiting)
        if text:
            self.begun, self._like = True, waiting
        if waiting.finish:
            self._end()

    def _content(self, body: Any) -> tuple[str, Sequence[Token] | None]:
        """The text of an event, and the tokens of the answer in it."""
        text = wire.text(body, self._asked.endpoint, stream=True)
        if self._judge.reads_text and not self._asked.log_probabilities:
            return text, None
        try:
            tokens = wire.tokens(body, self._asked.endpoint)
        except wire.Unreadable as error:
            self._pieces += self.progress.give_up(str(error))
            return text, []
        self._reasoned = self._reasoned or bool(wire.reasoning(body, stream=True))
        if self._reasoned and not self.progress.text:
            return text, wire.behind_reasoning(tokens, text) if text and tokens else []
        return text, tokens

    def _end(self) -> None:
        if not self._ended:
            self._ended = self.begun = True
            self._pieces += self.progress.end()

    def _sent(self) -> Iterator[bytes]:
        """The events that are decided, each as it is sent."""
        while self._waiting and not self.done and (self._waiting[0].end <= self.progress.place or self.progress.halted):
            one = self._waiting.popleft()
            if one.finish or one.event.data == _DONE:
                yield from self._added(one)
            yield self._as_said(one)
            if self.progress.halted and not self._pieces and not self._asked.usage:
                yield from self._close(one)

    def _as_said(self, one: _Waiting) -> bytes:
        """An event with what is said of its text; empty where nothing is, and it brings nothing else."""
        if one.body is None:
            return one.event.raw
        text, pieces = self._said(one)
        data = payload = one.event.data.decode() if one.event.data is not None else ""
        if text != self.progress.text[one.start : one.end]:
            if not text and one.bare:
                return b""
            payload = self._with_text(payload, text)
        if not self._asked.log_probabilities:
            payload = wire.stripped(payload, one.body, self._asked.unasked)
        elif payload != data:
            payload = self._with_tokens(one, payload, pieces)
        if one.finish:
            if not self.progress.whole and wire.at(one.body, wire.FINISH) == "length":
                payload = replaced(payload, wire.FINISH, '"stop"')
            if self._asked.fragments:
                payload = replaced(payload, (FIELD,), report.field(self.progress, self._asked, self._judge))
        return one.event.raw if payload == data else one.event.with_data(payload)

    def _said(self, one: _Waiting) -> tuple[str, list[Piece]]:
        """What is said of the text of an event, and the pieces of it; pieces that end with it are used up."""
        parts, pieces = [], []
        for piece in self._pieces:
            if one.start <= piece.start < one.end:
                parts.append(piece.added)
            start, end = max(piece.start, one.start), min(piece.end, one.end)
            if start < end:
                parts.append(self.progress.text[start:end])
                pieces.append(Piece(start, end))
        while self._pieces and self._pieces[0].end <= one.end and self._pieces[0].start < one.end:
            self._pieces.popleft()
        while self._pieces and self._pieces[0] == Piece(self._pieces[0].start, self._pieces[0].start):
            self._pieces.popleft()
        return "".join(parts), pieces

    def _added(self, before: _Waiting | None) -> Iterator[bytes]:
        """An event of its own for what is said behind all text: the phrase where everything was left out."""
        behind = len(self.progress.text) if before is None or before.event.data == _DONE else before.end
        text = "".join(one.added for one in self._pieces if one.start == one.end >= behind)
        if text and self._like is not None:
            self._pieces.clear()
            yield self._copy(self._like, text)

    def _close(self, last: _Waiting) -> Iterator[bytes]:
        """The end of a stream that halted before the upstream did."""
        self.done = True
        self._waiting.clear()
        if not last.finish:
            self.progress.end()
            assert self._like is not None
            yield self._copy(self._like, "", finish=True)
        yield b"data: [DONE]\n\n"

    def _copy(self, like: _Waiting, text: str, *, finish: bool = False) -> bytes:
        """An event as another one, with a text of its own."""
        assert like.event.data is not None
        payload = self._with_text(like.event.data.decode(), text)
        if self._asked.log_probabilities:
            payload = self._with_tokens(like, payload, [])
        else:
            payload = wire.stripped(payload, like.body, self._asked.unasked)
        payload = replaced(payload, wire.FINISH, '"stop"' if finish else "null")
        if finish and self._asked.fragments:
            payload = replaced(payload, (FIELD,), report.field(self.progress, self._asked, self._judge))
        return like.event.with_data(payload)

    def _with_text(self, payload: str, text: str) -> str:
        path = wire.text_path(self._asked.endpoint, stream=True)
        return replaced(payload, path, json.dumps(text, ensure_ascii=False))

    def _with_tokens(self, one: _Waiting, payload: str, pieces: Sequence[Piece]) -> str:
        """The log-probabilities of what is said alone."""
        found = wire.at(one.body, wire.LOG_PROBABILITIES)
        if not isinstance(found, dict):
            return payload
        places = self.progress.alignment.places[one.first : one.last]
        # Tokens of reasoning that the upstream keeps apart come before those of the text.
        n_before = len(wire.tokens(one.body, self._asked.endpoint) or ()) - (one.last - one.first)
        kept = {n_before + n for n, at in enumerate(places) if any(piece.start <= at < piece.end for piece in pieces)}
        return replaced(payload, wire.LOG_PROBABILITIES, json.dumps(wire.selected(found, kept), ensure_ascii=False))
