"""Server-sent events as bytes: where one ends, and the JSON in it."""

from __future__ import annotations

import dataclasses
import re

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA = re.compile(rb"(data: ?)(.*?)((?:\r\n|\n|\r){2})", re.DOTALL)
LONGEST = 8 << 20
"""Bytes of one event; above this a stream is no longer read as events."""


@dataclasses.dataclass(frozen=True)
class Event:
    """An event as it was sent.

    Attributes:
        raw: all of it.
        data: its data, where it is one line of data and nothing else; else None.
    """

    raw: bytes
    data: bytes | None

    def with_data(self, data: str) -> bytes:
        """The event with other data, and else as it is."""
        found = _DATA.fullmatch(self.raw)
        assert found is not None
        return found[1] + data.encode() + found[3]


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
            found.append(_event(buffer[begin : end.end()]))
            begin = look = end.end()
        self.rest = buffer[begin:]
        return found


def _event(raw: bytes) -> Event:
    found = _DATA.fullmatch(raw)
    one_line = found is not None and b"\n" not in found[2] and b"\r" not in found[2]
    return Event(raw, found[2] if found is not None and one_line else None)
