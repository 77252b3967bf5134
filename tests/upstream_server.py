"""A real HTTP server on 127.0.0.1 that speaks the OpenAI API with log-probabilities, and breaks on demand.

It writes JSON as no two libraries do (odd spaces, escapes): what equals it byte for byte was not written again.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import gzip
import json
import math
import re
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Any

Piece = tuple[bytes, float]
"""The bytes of a token and its log-probability."""

FAULTS = (
    "no log-probabilities",
    "log-probabilities end",
    "late log-probabilities",
    "wrong order",
    "not numbers",
    "broken event",
    "error event",
    "reset",
    "close",
    "429",
    "500",
    "silence",
    "gzip",
)


def pieces(*sentences: tuple[str, float], between: str = " ") -> list[Piece]:
    """Sentences, each with the probability of its tokens, as tokens: words with the space before them."""
    found: list[Piece] = []
    for number, (text, probability) in enumerate(sentences):
        whole = (between if number else "") + text
        found += [(one.encode(), math.log(probability)) for one in re.findall(r"\s*[\w'’]+|\s*[^\w\s]|\s+", whole)]
    return found


def as_bytes(found: Sequence[Piece]) -> list[Piece]:
    """The same text with a token for each byte of a character that is not ASCII."""
    return [
        (part, likely)
        for piece, likely in found
        for part in ([piece] if piece.isascii() else [bytes([one]) for one in piece])
    ]


def text_of(found: Sequence[Piece]) -> str:
    return b"".join(piece for piece, _ in found).decode()


class UpstreamServer:
    """The server.

    Attributes:
        said: the tokens of every response.
        finish: why responses end.
        fault: one of `FAULTS`, or empty.
        group: tokens in an event.
        split: bytes in a packet; half a character may end one.
        unasked: how a response says that no log-probabilities were asked for: `null`, or empty for no such field.
        corrected: whether tokens are as vLLM gives them: text, where a character's last token has all of it.
        requests: the bodies that came, with their headers.
        ended: how many responses ended before they were complete, because the proxy went away.
    """

    def __init__(self) -> None:
        self.said: list[Piece] = pieces(("Oslo is big.", 0.9), ("It lies in Asia.", 0.3), ("It is old.", 0.6))
        self.finish, self.fault, self.unasked = "stop", "", "null"
        self.group, self.split, self.pause = 1, 0, 0.0
        self.corrected = False
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.ended = 0

    def __enter__(self) -> UpstreamServer:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = await reader.readline()
        if not line:
            return False
        method, path, _ = line.decode().split()
        headers = {}
        while (row := (await reader.readline()).decode().strip()) != "":
            name, _, value = row.partition(":")
            headers[name.lower()] = value.strip()
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        if method == "GET":
            rows = [{"id": "m", "object": "model"}, {"id": "other", "object": "model"}]
            await self._reply(writer, 200, json.dumps({"object": "list", "data": rows}).encode())
            return True
        body = json.loads(raw)
        self.requests.append((headers, body))
        return await self._completion(reader, writer, path.rpartition("/v1")[2] == "/chat/completions", body)

    async def _completion(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chat: bool, body: dict[str, Any]
    ) -> bool:
        if self.fault == "silence":
            for _ in range(1200):
                await asyncio.sleep(0.05)
                if reader.at_eof():
                    self.ended += 1
                    break
            return False
        if self.fault in ("429", "500"):
            error = b'{"error":  {"message": "not now", "type": "busy"}}'
            await self._reply(writer, int(self.fault), error, "retry-after: 7\r\nx-request-id: r1\r\n")
            return True
        given = body.get("logprobs")
        asked = given is not None and given is not False and self.fault != "no log-probabilities"
        if not body.get("stream"):
            reply = self._whole(chat, asked).encode()
            if self.fault == "reset":
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n" + reply
                )
                await writer.drain()
                self._reset(writer)
                return False
            packed = "content-encoding: gzip\r\n" if self.fault == "gzip" else ""
            await self._reply(writer, 200, gzip.compress(reply) if packed else reply, packed + "x-request-id: r1\r\n")
            return True
        return await self._stream(writer, chat, asked, body)

    def events(self, chat: bool, asked: bool, usage: bool = False) -> list[bytes]:
        """A stream, event by event."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        found = [self._event(chat, {"role": "assistant", "content": ""}, None, None, asked)] if chat else []
        entries = self._entries(chat)
        places = [number for number, one in enumerate(entries) if one is not None]
        if self.fault == "wrong order":
            entries[places[2]], entries[places[3]] = entries[places[3]], entries[places[2]]
        if self.fault == "late log-probabilities":
            entries = [None, *entries[:-2], [*(entries[-2] or []), *(entries[-1] or [])]]
        if self.fault == "log-probabilities end":
            entries = [*entries[: len(entries) // 2], *([None] * (len(entries) - len(entries) // 2))]
        groups = [self.said[n : n + self.group] for n in range(0, len(self.said), self.group)]
        for number, group in enumerate(groups):
            text = decoder.decode(b"".join(piece for piece, _ in group))
            found.append(self._event(chat, {"content": text}, None, entries[number], asked))
            if number == 2 and self.fault == "broken event":
                found.append(b'data: {"half": \n\n')
            if number == 2 and self.fault == "error event":
                found.append(b'data: {"error": {"message": "out of memory"}}\n\n')
        found.insert(2, b": keep-alive\n\n")
        found.append(self._event(chat, {}, self.finish, None, asked))
        if usage:
            found.append(b'data: {"id": "c1", "choices": [],  "usage": {"completion_tokens": 9}}\n\n')
        return [*found, b"data: [DONE]\n\n"]

    def stream_bytes(self, chat: bool = True, asked: bool = False, usage: bool = False) -> bytes:
        return b"".join(self.events(chat, asked, usage))

    def whole_bytes(self, chat: bool = True, asked: bool = False) -> bytes:
        return self._whole(chat, asked).encode()

    async def _stream(self, writer: asyncio.StreamWriter, chat: bool, asked: bool, body: dict[str, Any]) -> bool:
        usage = (body.get("stream_options") or {}).get("include_usage", False)
        events = self.events(chat, asked, usage)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: r1\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for number, event in enumerate(events):
            if number == 5 and self.fault == "reset":
                await asyncio.sleep(0.05)
                self._reset(writer)
                return False
            if number == 5 and self.fault == "close":
                await asyncio.sleep(0.05)
                writer.close()
                return False
            size = self.split or len(event)
            for begin in range(0, len(event), size):
                part = event[begin : begin + size]
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                if self.split:
                    await writer.drain()
                    await asyncio.sleep(0)
            try:
                await writer.drain()
                await asyncio.sleep(self.pause)
                if writer.transport.is_closing():
                    raise ConnectionResetError
            except ConnectionError:
                self.ended += 1
                raise
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def _reply(self, writer: asyncio.StreamWriter, status: int, body: bytes, headers: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    def _entries(self, chat: bool) -> list[Any]:
        """For each event the entries of its tokens."""
        rows = []
        held = b""
        for piece, likely in self.said:
            held += piece
            shown = ""
            with contextlib.suppress(UnicodeDecodeError):
                shown = held.decode()
                held = b""
            # As OpenAI writes a token that is no text; in chat its bytes stand beside it.
            text = shown if self.corrected else _written(piece)
            raw = text.encode() if self.corrected else piece
            rows.append({"token": text, "logprob": likely, "bytes": list(raw), "top_logprobs": []})
        if self.fault == "not numbers":
            rows[3]["logprob"] = "likely"
        return [rows[n : n + self.group] for n in range(0, len(rows), self.group)]

    def _logprobs(self, chat: bool, rows: Any, asked: bool) -> str:
        if not asked or rows is None:
            return f', "logprobs" : {self.unasked}' if self.unasked else ""
        if chat:
            return f', "logprobs" : {json.dumps({"content": rows})}'
        found = {"tokens": [one["token"] for one in rows], "token_logprobs": [one["logprob"] for one in rows]}
        return f', "logprobs" : {json.dumps(found)}'

    def _event(self, chat: bool, delta: dict[str, str], finish: str | None, rows: Any, asked: bool) -> bytes:
        said = f'"delta": {json.dumps(delta)}' if chat else f'"text":{json.dumps(delta.get("content", ""))}'
        choice = f'{{"index":0, {said}{self._logprobs(chat, rows, asked)},"finish_reason" :{json.dumps(finish)}}}'
        return f'data: {{"id":"c1", "model": "m",  "choices":[{choice}]}}\n\n'.encode()

    def _whole(self, chat: bool, asked: bool) -> str:
        text, rows = text_of(self.said), [row for rows in self._entries(chat) for row in rows]
        if self.fault == "wrong order":
            rows[2], rows[3] = rows[3], rows[2]
        if self.fault == "log-probabilities end":
            rows = rows[: len(rows) // 2]
        said = f'"message": {{"role":"assistant","content" : {json.dumps(text)}, "refusal":null}}'
        said = said if chat else f'"text" :{json.dumps(text)}'
        choice = f'{{ "index":0,{said}{self._logprobs(chat, rows, asked)}, "finish_reason":"{self.finish}"}}'
        return f'{{"id": "c1","choices" :[{choice}],  "usage":{{"completion_tokens": 9}}, "x\\u00e9": 1e2}}'


def _written(piece: bytes) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{one:02x}" for one in piece)
