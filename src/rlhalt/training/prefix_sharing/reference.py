"""What the reference says of a pair, kept on disk by content: no pair is asked twice, however often it is drawn."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rlhalt.errors import InputError

Values = tuple[float, float]
"""Log-probabilities of the better and of the worse side of a pair."""


class References:
    """Values by key, in SQLite: several processes may share a file, and a kill loses none that was written.

    Raises:
        InputError: the file is something else.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path, timeout=60)
        try:
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("CREATE TABLE IF NOT EXISTS reference (key TEXT PRIMARY KEY, sides TEXT)")
        except sqlite3.DatabaseError as error:
            raise InputError(f"expected reference values that rlhalt has kept, found {error}", path=path) from None

    def read(self, keys: Iterable[str]) -> dict[str, Values]:
        """Those that are known."""
        found = {}
        for key in set(keys):
            row = self._base.execute("SELECT sides FROM reference WHERE key = ?", [key]).fetchone()
            if row:
                chosen, rejected = json.loads(row[0])
                found[key] = (chosen, rejected)
        return found

    def write(self, values: Mapping[str, Values]) -> None:
        """Keep values; they survive a kill from here on."""
        rows: Sequence[tuple[str, str]] = [(key, json.dumps(one)) for key, one in values.items()]
        with self._base:
            self._base.executemany("INSERT OR REPLACE INTO reference VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._base.close()
