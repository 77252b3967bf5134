"""Server-sent events as bytes: where one ends, and the JSON in it."""

from __future__ import annotations

import dataclasses
import re

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
LONGEST = 8 << 20
"""Bytes of one event; above this a stream is no longer read as events."""


@dataclasses.dataclass(frozen=True)
class Event:
    """An event as it was sent.

    Attributes:
        raw: all of it.
        data: its data, where it is one line of data and nothing else; else None.
        begin: where the data begins in it.
    """

    raw: bytes
    data: bytes | None
    begin: int = 0

    def with_data(self, data: str) -> bytes:
        """The event with other data, and else as it is."""
        assert self.data is not None
        return self.raw[: self.begin] + data.encode() + self.raw[self.begin + len(self.data) :]


class Reader:
    """Takes the bytes of a stream as they come, and gives whole events.

    >>> reader = Reader()
    >>> [one.data for one in reader.feed(b'data: {"a": "\\xc3')], [one.data for one in reader.feed(b'\\xa1"}\\n\\n')]
    ([], [b'{"a": "\\xc3\\xa1"}'])

    Attributes:
        rest: the beginning of an event that has not ended.
    """

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end with these bytes."""
        # A mark of an end may have begun in what was there before.
        begin, look = 0, max(0, len(self.rest) - 3)
        buffer = self.rest + chunk
        found = []
        while end := _END.search(buffer, look):
            found.append(_event(buffer[begin : end.end()], end.end() - end.start()))
            begin = look = end.end()
        self.rest = buffer[begin:]
        return found


def _event(raw: bytes, end: int) -> Event:
    """An event whose last `end` bytes are its end."""
    begin = 6 if raw.startswith(b"data: ") else 5
    data = raw[begin:-end]
    one_line = raw.startswith(b"data:") and b"\n" not in data and b"\r" not in data
    return Event(raw, data if one_line else None, begin)
