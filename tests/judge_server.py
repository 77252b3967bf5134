"""A real HTTP server on 127.0.0.1 that speaks the OpenAI chat API, judges by fixed rules, and breaks on demand.

It reads the prompt as a judge would: strictly by its delimiters (`read_prompt`). A fragment is correct where it says
"right", incorrect where it says "wrong", else unverifiable. Asked to split sentences into claims, it cuts them at their
commas. Each fault strikes a request with its own probability.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from judge_faults import BODIES, SAID, STATUSES
from rlhalt.llm import Limits

# Give up at once: a fault is seen as it is.
QUICK = Limits(timeout=0.5, attempts=1, backoff=0.001, max_bytes=20_000)
# For all but time-outs: a busy machine is no failure.
PATIENT = dataclasses.replace(QUICK, timeout=60.0)
# And "drip", an endless reply that comes slowly; "endless 500", an endless error; "gzip", a small body, big unpacked.
FAULTS = (
    "time-out",
    "429",
    "500",
    "broken JSON",
    "wrong schema",
    "half a list",
    "empty reply",
    "reset",
    "endless",
    "another fragment",
)
# The reasons that the faults of the wire are told by.
WIRE_FAULTS = {
    "time-out": "time-out",
    "429": "rate limit",
    "500": "server error",
    "reset": "connection",
    "endless": "oversized",
    "drip": "time-out",
    "endless 500": "oversized",
    "gzip": "oversized",
}
_BEGIN = re.compile(r"BEGIN (\w+) ([0-9a-f]{16})")


def injections() -> list[dict[str, Any]]:
    """Texts under judgement that speak to the judge."""
    with Path(__file__).with_name("injections.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A prompt taken apart: what stands outside the delimiters, and the data inside them.

    Attributes:
        fragments, claims: by number, the fragments and what they say, where the prompt has that; or the sentences.
        splits: whether claims are asked for, not verdicts.
    """

    skeleton: str
    data: dict[str, list[str]]
    fragments: dict[int, str]
    asked: list[int]
    claims: dict[int, str] = dataclasses.field(default_factory=dict)
    splits: bool = False


def read_prompt(message: str) -> Prompt:
    """Take a user message apart, trusting nothing but its delimiters; a line that is no data is an error."""
    nonce = re.match(r".*\b([0-9a-f]{16})\b", message)[1]
    outside, data, inside = [], {}, None
    for line in message.split("\n"):
        if inside is None:
            outside.append(line.replace(nonce, "NONCE"))
            begin = _BEGIN.fullmatch(line)
            if begin and begin[2] == nonce:
                inside = begin[1]
                data[inside] = []
        elif line == f"END {inside} {nonce}":
            outside.append(line.replace(nonce, "NONCE"))
            inside = None
        else:
            data[inside].append(line)
    assert inside is None, "a section without an end"
    splits = "sentences" in data
    fragments, claims = {}, {}
    for line in data.pop("sentences" if splits else "fragments"):
        number, _, rest = line.partition(" ")
        fragments[int(number)], end = json.JSONDecoder().raw_decode(rest)
        if end < len(rest):
            claims[int(number)] = json.loads(rest[end:])
    texts = {name: [json.loads(line) for line in lines] for name, lines in data.items()}
    last = outside.pop()
    if last.startswith("The last reply could not be read"):
        last = outside.pop()
    asked = [int(one) for one in re.findall(r"\d+", last)]
    return Prompt("\n".join(outside), texts, fragments, asked, claims, splits)


def label_of(text: str) -> str:
    return "correct" if "right" in text else "incorrect" if "wrong" in text else "unverifiable"


def judge(prompt: Prompt) -> list[dict[str, Any]]:
    return [{"id": one, "evidence": "it says so", "label": label_of(prompt.fragments[one])} for one in prompt.asked]


def split(prompt: Prompt) -> list[dict[str, Any]]:
    return [
        {"id": number, "claims": [{"quote": part, "claim": f"It says: {part}"} for part in parts_of(text)]}
        for number, text in prompt.fragments.items()
    ]


def parts_of(sentence: str) -> list[str]:
    return [one.strip() for one in sentence.split(",") if any(char.isalnum() for char in one)]


class JudgeServer:
    """A context that serves; `faults` may be changed while it runs.

    Attributes:
        requests: the bodies received, in order; `headers` beside them.
        starts: when each request arrived, seconds.
        at_once: the largest number of requests under way together.
        struck: how often each fault was injected.
        answer: what is said instead of verdicts, where set; or what makes a text, or a whole choice, of a request.
        chaos: the share of requests that a fault of `kinds` strikes, each kind equally often.
        refuses: fields of a request that are answered with a 400, and what it says; in quotes, a piece of its JSON.
        model: the name that the server gives its model.
        retry_after, takes_schema, usage: what a 429 asks for, whether `response_format` is known, the tokens told.
        status: what every request is answered with, where set.
    """

    def __init__(self, faults: dict[str, float] | None = None, latency: float = 0.0, seed: int = 0) -> None:
        self.faults = dict(faults or {})
        self.latency = latency
        self.retry_after = "0.05"
        self.takes_schema = True
        self.status: int | None = None
        self.usage: dict[str, int] | None = {"prompt_tokens": 100, "completion_tokens": 10}
        self.answer: str | Callable[[dict[str, Any]], str | dict[str, Any]] | None = None
        self.chaos = 0.0
        self.kinds: tuple[str, ...] = ()
        self.refuses: dict[str, str] = {}
        self.model = "served"
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.starts: list[float] = []
        self.at_once = 0
        self.struck: Counter[str] = Counter()
        self._under_way = 0
        self._deck: list[str] = []
        self._random = random.Random(seed)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> JudgeServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Serve no more; connections are refused from then on."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:] if line)
                }
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                self.requests.append(body)
                self.headers.append(headers)
                self.starts.append(time.monotonic())
                self._under_way += 1
                self.at_once = max(self.at_once, self._under_way)
                try:
                    await self._answer(body, reader, writer)
                finally:
                    self._under_way -= 1
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            writer.close()

    def _strikes(self) -> str | None:
        if self.chaos:
            return self._of_chaos()
        struck = [fault for fault, rate in self.faults.items() if self._random.random() < rate]
        if not struck:
            return None
        fault = self._random.choice(struck)
        self.struck[fault] += 1
        return fault

    def _of_chaos(self) -> str | None:
        if self._random.random() >= self.chaos:
            return None
        if not self._deck:
            self._deck = self._random.sample(self.kinds, len(self.kinds))
        fault = self._deck.pop()
        self.struck[fault] += 1
        return fault

    async def _answer(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._strikes()
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.status is not None:
            _send(writer, self.status, b'{"error": {"message": "no"}}')
        elif not self.takes_schema and "response_format" in body:
            _send(writer, 400, b'{"error": {"message": "response_format is not supported"}}')
        elif refused := [
            said for name, said in self.refuses.items() if name in (json.dumps(body) if '"' in name else body)
        ]:
            _send(writer, 400, json.dumps({"error": {"message": refused[0]}}).encode())
        elif fault == "time-out":
            await reader.read()  # until the client gives up
        elif fault == "429":
            _send(writer, 429, b'{"error": {"message": "slow down"}}', f"Retry-After: {self.retry_after}\r\n")
        elif fault in STATUSES:
            status, more, said = STATUSES[fault]
            _send(writer, status, said, more)
        elif fault in BODIES:
            _send(writer, 200, BODIES[fault])
        elif fault == "no HTTP":
            writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            raise ConnectionAbortedError
        elif fault in ("closed", "half a body", "wrong length"):
            if fault != "closed":
                whole = b'{"choices": [{"message": {"content": "{}"}}]}'
                length = len(whole) + 50 if fault == "half a body" else 10
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + whole)
            raise ConnectionAbortedError
        elif fault == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise ConnectionAbortedError
        elif fault == "gzip":
            _send(writer, 200, gzip.compress(b" " * 1_000_000), "Content-Encoding: gzip\r\n")
        elif fault in ("endless", "drip", "endless 500"):
            await _endless(writer, 500 if "500" in fault else 200, pause=0.05 if fault == "drip" else 0.0)
        else:
            self._reply(body, writer, fault)

    def _reply(self, body: dict[str, Any], writer: asyncio.StreamWriter, fault: str | None) -> None:
        said = self.answer(body) if callable(self.answer) else self.answer
        if said is None:
            asked = body["messages"][-1]["content"]
            said = verdicts(read_prompt(asked), fault) if _BEGIN.search(asked) else "yes"
        elif fault == "empty reply":
            said = ""
        if isinstance(said, str):
            said = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        data = {"choices": [said], "model": self.model}
        _send(writer, 200, json.dumps(data | ({"usage": self.usage} if self.usage else {})).encode())


def verdicts(prompt: Prompt, fault: str | None = None) -> str:
    """What the model says of a prompt, as text."""
    found = split(prompt) if prompt.splits else judge(prompt)
    if fault in SAID and not prompt.splits:
        return SAID[fault](found)
    if fault == "empty reply":
        return ""
    if fault == "half a list":
        found = found[: len(found) // 2]
    if fault == "another fragment":
        found.append({**found[0], "id": 999} if prompt.splits else {"id": 999, "evidence": "air", "label": "correct"})
    if fault == "wrong schema":
        return json.dumps({"verdicts": {one["id"]: one for one in found}})
    text = json.dumps({"sentences" if prompt.splits else "verdicts": found})
    return text[:-4] if fault == "broken JSON" else text


def _send(writer: asyncio.StreamWriter, status: int, body: bytes, more: str = "") -> None:
    head = f"HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    writer.write(head.encode() + body)


async def _endless(writer: asyncio.StreamWriter, status: int, pause: float) -> None:
    head = f"HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode())
    chunk = b" " * (16 if pause else 4096)
    while not writer.is_closing():
        writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        await writer.drain()
        await asyncio.sleep(pause)
