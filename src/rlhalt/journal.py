"""The resumable output of a stage: rows on disk as soon as they are done, the whole file in order at the end."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from rlhalt.records import Row, dumps, from_json, parse_line, write_atomic

R = TypeVar("R", bound=Row)


class Journal(Generic[R]):
    """Rows of a stage, kept while it runs in `NAME.part` and written to `NAME` at its end.

    On entering, rows of an earlier run are found in the output and in `NAME.part`; those worth keeping are `in` the
    journal, by key. `add` appends a row and flushes it. `finish` writes all rows in the given order and removes the
    part. Leaving without `finish` keeps it for the next run. Memory does not grow with the number of rows: where each
    of them lies is kept in a temporary SQLite database, which spills to disk.

    Args:
        path: the output, a JSONL file.
        kind: the record it holds.
        keep: rows for which this is false are done again (a scored response that failed, say).
    """

    def __init__(self, path: str | Path, kind: type[R], keep: Callable[[R], bool] = lambda row: True) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + ".part")
        self._kind = kind
        self._keep = keep

    def __enter__(self) -> Self:
        # An empty name is SQLite's for a database on disk that nobody else sees and that goes when it is closed.
        self._index = sqlite3.connect("", isolation_level=None)
        self._index.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, kept, part, start, size) WITHOUT ROWID")
        self._index.execute("BEGIN")
        for part in (False, True):
            self._find(part)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.part.open("ab")
        return self

    def _find(self, part: bool) -> None:
        path = self.part if part else self.path
        if not path.is_file():
            return
        start = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if part and not line.endswith(b"\n"):
                    # A kill can tear the last line only; cut off, so that what is appended next is a line of its own.
                    os.truncate(path, start)
                    break
                data = parse_line(line, path, number)
                if data is not None:
                    row = from_json(self._kind, data, path, number)
                    self._note(row.key, self._keep(row), part, start, len(line))
                start += len(line)

    def _note(self, key: str, kept: bool, part: bool, start: int, size: int) -> None:
        self._index.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", [key, kept, part, start, size])

    def __contains__(self, key: str) -> bool:
        return self._index.execute("SELECT 1 FROM rows WHERE key = ? AND kept", [key]).fetchone() is not None

    def earlier(self, key: str) -> R | None:
        """The row with this key, worth keeping or not."""
        found = self._index.execute("SELECT part, start, size FROM rows WHERE key = ?", [key]).fetchone()
        if found is None:
            return None
        part, start, size = found
        path = self.part if part else self.path
        with path.open("rb") as file:
            file.seek(start)
            data = parse_line(file.read(size), path, 0)
        assert data is not None
        return from_json(self._kind, data, path, 0)

    def add(self, row: R) -> None:
        """Append a finished row; it survives a kill from here on."""
        line = (dumps(row) + "\n").encode()
        start = self._file.tell()
        self._file.write(line)
        self._file.flush()
        self._note(row.key, True, True, start, len(line))

    def finish(self, keys: Iterable[str]) -> None:
        """Write the rows with these keys, in this order.

        Raises:
            KeyError: a key that was neither found nor added.
        """
        self._file.close()
        write_atomic(self.path, self._lines(keys))
        self.part.unlink()

    def _lines(self, keys: Iterable[str]) -> Iterator[str]:
        files = {part: path.open("rb") for part, path in ((0, self.path), (1, self.part)) if path.is_file()}
        try:
            for key in keys:
                found = self._index.execute("SELECT part, start, size FROM rows WHERE key = ?", [key]).fetchone()
                if found is None:
                    raise KeyError(key)
                part, start, size = found
                files[part].seek(start)
                yield files[part].read(size).decode().rstrip("\n") + "\n"
        finally:
            for file in files.values():
                file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._index.close()
        if self.part.is_file() and self.part.stat().st_size == 0:
            self.part.unlink()
