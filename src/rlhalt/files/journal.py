"""The resumable output of a stage: rows on disk as soon as they are done, the whole file in order at the end."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from rlhalt.errors import InputError
from rlhalt.files.jsonl import Row, decode, doubled, dumps
from rlhalt.files.locks import locked
from rlhalt.files.text import check_name, write_atomic

R = TypeVar("R", bound=Row)


class Journal(Generic[R]):
    """Rows of a stage, kept while it runs in `NAME.part` and written to `NAME` at its end.

    On entering, rows of an earlier run are found in the output and in `NAME.part`; those that are made of what is
    wanted now are `in` the journal, by key. `add` appends a row and flushes it. `finish` writes all wanted rows and
    removes the part. Leaving without `finish` keeps it for the next run. One process at a time has an output's journal.

    Memory does not grow with the number of rows: where each of them lies is kept in a temporary SQLite database, which
    spills to disk.

    Args:
        path: the output, a JSONL file.
        kind: the record it holds.
        wanted: of each row that the output is to hold, in order, its key and what it is to be made of.
        made_of: what a row was made of; None for one that is to be done again (a scored response that failed, say).

    Raises:
        InputError: the name is none of a JSONL file. On entering: a key is wanted twice; rows of an earlier run are
            not wanted and would be lost; another command writes this output.
    """

    def __init__(
        self,
        path: str | Path,
        kind: type[R],
        wanted: Iterable[tuple[str, str]],
        made_of: Callable[[R], str | None] = lambda row: "",
    ) -> None:
        self.path = Path(path)
        check_name(self.path)
        self.part = self.path.with_name(self.path.name + ".part")
        self._kind = kind
        self._wanted = wanted
        self._made_of = made_of
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            opened.enter_context(locked(self.path))
            # An empty name is SQLite's for a database on disk that nobody else sees and that goes when it is closed.
            self._index = opened.enter_context(contextlib.closing(sqlite3.connect("", isolation_level=None)))
            self._index.execute("CREATE TABLE wanted (key TEXT PRIMARY KEY, made_of, row) WITHOUT ROWID")
            self._index.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, made_of, part, start, size) WITHOUT ROWID")
            self._index.execute("BEGIN")
            for row, (key, made_of) in enumerate(self._wanted, start=1):
                self._want(key, made_of, row)
            for part in (False, True):
                self._find(part)
            self._refuse_losses()
            self._file = opened.enter_context(self.part.open("ab"))
            self._open = opened.pop_all()
        return self

    def _want(self, key: str, made_of: str, row: int) -> None:
        try:
            self._index.execute("INSERT INTO wanted VALUES (?, ?, ?)", [key, made_of, row])
        except sqlite3.IntegrityError:
            (first,) = self._index.execute("SELECT row FROM wanted WHERE key = ?", [key]).fetchone()
            raise doubled(key, first, row) from None

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
                row = decode(line, self._kind, path, number)
                if row is not None and not part and self._found(row.key):
                    raise doubled(row.key, self._number(row.key), number, path)
                if row is not None:
                    self._note(row.key, self._made_of(row), part, start, len(line))
                start += len(line)

    def _note(self, key: str, made_of: str | None, part: bool, start: int, size: int) -> None:
        self._index.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", [key, made_of, part, start, size])

    def _found(self, key: str) -> bool:
        return self._index.execute("SELECT 1 FROM rows WHERE key = ?", [key]).fetchone() is not None

    def _number(self, key: str) -> int:
        """In which row of the output a key was found."""
        (start,) = self._index.execute("SELECT start FROM rows WHERE key = ?", [key]).fetchone()
        with self.path.open("rb") as file:
            return file.read(start).count(b"\n") + 1

    def _refuse_losses(self) -> None:
        query = "SELECT COUNT(*), MIN(key) FROM rows WHERE key NOT IN (SELECT key FROM wanted)"
        count, key = self._index.execute(query).fetchone()
        if count:
            raise InputError(
                f"expected rows of this input only, found {count} of another that would be lost (first key {key}); "
                "choose another --output, or remove this file",
                path=self.path,
            )

    def __contains__(self, key: str) -> bool:
        query = "SELECT 1 FROM wanted JOIN rows USING (key) WHERE key = ? AND rows.made_of = wanted.made_of"
        return self._index.execute(query, [key]).fetchone() is not None

    @property
    def missing(self) -> int:
        """How many wanted rows are not there, or are made of something else."""
        query = "SELECT COUNT(*) FROM wanted LEFT JOIN rows USING (key) WHERE rows.made_of IS NOT wanted.made_of"
        return int(self._index.execute(query).fetchone()[0])

    @property
    def total(self) -> int:
        """How many rows are wanted."""
        return int(self._index.execute("SELECT COUNT(*) FROM wanted").fetchone()[0])

    @property
    def whole(self) -> bool:
        """Whether the output holds exactly the wanted rows, and nothing waits in the part."""
        query = "SELECT COUNT(*), COALESCE(MAX(part), 0) FROM rows"
        count, part = self._index.execute(query).fetchone()
        return self.missing == 0 and not part and count > 0

    def earlier(self, key: str) -> R | None:
        """The row with this key, whatever it was made of."""
        found = self._index.execute("SELECT part, start, size FROM rows WHERE key = ?", [key]).fetchone()
        if found is None:
            return None
        part, start, size = found
        path = self.part if part else self.path
        with path.open("rb") as file:
            file.seek(start)
            return decode(file.read(size), self._kind, path, 0)

    def add(self, row: R) -> None:
        """Append a finished row; it survives a kill from here on.

        Raises:
            InputError: a value that JSON cannot hold.
        """
        line = (dumps(row) + "\n").encode()
        start = self._file.tell()
        self._file.write(line)
        self._file.flush()
        self._index.execute(
            "INSERT OR REPLACE INTO rows SELECT key, made_of, 1, ?, ? FROM wanted WHERE key = ?",
            [start, len(line), row.key],
        )

    def finish(self, each: Callable[[R], None] = lambda row: None) -> None:
        """Write the wanted rows, in their order; each is read back and checked before it is written.

        Args:
            each: is called with each row.

        Raises:
            KeyError: a row that was neither found nor added.
            InputError: a file was changed while this command ran; the output stays as it was.
        """
        self._file.close()
        write_atomic(self.path, self._lines(each))
        self.part.unlink()

    def _lines(self, each: Callable[[R], None]) -> Iterator[str]:
        with contextlib.ExitStack() as opened:
            files = {
                part: opened.enter_context(path.open("rb"))
                for part, path in ((0, self.path), (1, self.part))
                if path.is_file()
            }
            query = "SELECT wanted.key, part, start, size FROM wanted LEFT JOIN rows USING (key) ORDER BY wanted.row"
            for key, part, start, size in self._index.execute(query):
                if start is None:
                    raise KeyError(key)
                files[part].seek(start)
                line = files[part].read(size)
                each(self._read_back(line, key, self.part if part else self.path))
                yield line.decode().rstrip("\n") + "\n"

    def _read_back(self, line: bytes, key: str, path: Path) -> R:
        try:
            row = decode(line, self._kind, path, 0)
        except InputError:
            row = None
        if row is None or row.key != key:
            raise InputError(
                f"expected the row with key {key} where it was found before; the file was changed while this command "
                "ran: run it again",
                path=path,
            )
        return row

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self.part.is_file() and self.part.stat().st_size == 0:
            self.part.unlink()
        self._open.close()
