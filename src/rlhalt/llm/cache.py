"""Replies kept on disk, so that no question is paid for twice."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.llm.calls import Request, Server
from rlhalt.records import Json

# Failures to write, one after another, after which no reply is written any more.
_MOST_FAILURES = 3


def cache_parts(server: Server, request: Request) -> Json:
    """The named parts a cache key is made of; two calls share a reply only where all are equal."""
    messages = [dict(one) for one in request.messages]
    if request.nonce:
        messages = [{name: text.replace(request.nonce, "NONCE") for name, text in one.items()} for one in messages]
    parameters: Json = {"temperature": request.temperature, "max_tokens": request.max_tokens, "schema": request.schema}
    if request.seed is not None:
        parameters["seed"] = request.seed
    # A reply that ended by itself is the same under a larger limit: the server's own limit is left out.
    if server.body:
        parameters["body"] = server.body
    return {
        "address": server.address.rstrip("/"),
        "model": server.model,
        "parameters": parameters,
        "messages": messages,
        "version": request.version,
    }


class Cache:
    """Good replies on disk, in SQLite: several processes may share a file, and a kill loses no more than a reply.

    An entry that cannot be read is a miss. A reply that cannot be written still counts: standard error says once that
    it is not kept.

    Raises:
        InputError: the file is something else, or its folder cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._failures, self._told = 0, False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Made in one thread and used in the client's; never in two at once. A wait for another process's lock
            # blocks all calls, and is short.
            self._base = sqlite3.connect(self._path, timeout=1.0, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, parts TEXT, reply TEXT)")
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"expected a cache that rlhalt has made, found {error}", path=path) from None

    def get(self, key: str, parts: Json) -> str | None:
        """The reply kept for these parts, whose `content_key` is `key`."""
        try:
            row = self._base.execute("SELECT parts, reply FROM replies WHERE key = ?", [key]).fetchone()
            same = row is not None and isinstance(row[1], str) and json.loads(row[0]) == parts
        except (sqlite3.Error, ValueError, TypeError, RecursionError):
            return None
        return row[1] if same else None

    def put(self, key: str, parts: Json, reply: str) -> None:
        """Keep a reply; it survives a kill from here on."""
        if self._failures >= _MOST_FAILURES:
            return
        try:
            values = [key, json.dumps(parts, ensure_ascii=False), reply]
            self._base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", values)
            self._failures = 0
        except (sqlite3.Error, ValueError) as error:
            self._failures += 1
            if not self._told:
                self._told = True
                print(f"rlhalt: warning: {self._path}: replies count, but not all are kept: {error}", file=sys.stderr)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(sqlite3.Error):
            self._base.close()
