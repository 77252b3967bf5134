"""Replies kept on disk, so that no question is paid for twice."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.llm.calls import Request, Server
from rlhalt.records import Json


def cache_parts(server: Server, request: Request) -> Json:
    """The named parts a cache key is made of; two calls share a reply only where all are equal."""
    messages = [dict(one) for one in request.messages]
    if request.nonce:
        messages = [{name: text.replace(request.nonce, "NONCE") for name, text in one.items()} for one in messages]
    return {
        "address": server.address.rstrip("/"),
        "model": server.model,
        "parameters": {"temperature": 0, "max_tokens": request.max_tokens, "schema": request.schema},
        "messages": messages,
        "version": request.version,
    }


class Cache:
    """Good replies on disk, in SQLite: several processes may share a file, and a kill loses no more than a reply.

    Raises:
        InputError: the file is something else.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made in one thread and used in the client's; never in two at once.
        self._base = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, parts TEXT, reply TEXT)")
        except sqlite3.DatabaseError as error:
            raise InputError(f"expected a cache that rlhalt has made, found {error}", path=path) from None

    def get(self, key: str, parts: Json) -> str | None:
        """The reply kept for these parts, whose `content_key` is `key`."""
        row = self._base.execute("SELECT parts, reply FROM replies WHERE key = ?", [key]).fetchone()
        return row[1] if row and json.loads(row[0]) == parts else None

    def put(self, key: str, parts: Json, reply: str) -> None:
        """Keep a reply; it survives a kill from here on."""
        values = [key, json.dumps(parts, ensure_ascii=False), reply]
        self._base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", values)

    def close(self) -> None:
        """Close the file."""
        self._base.close()
