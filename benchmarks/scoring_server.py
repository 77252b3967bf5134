"""A judge on 127.0.0.1 that answers after a fixed latency, for `scoring.py`; a process of its own.

    python benchmarks/scoring_server.py --latency 0.2 --spread 0.05 --seed 0

It prints its port, serves until its standard input is closed, and prints what it has done. It answers prompts of
`rlhalt.verifiers.judge` with a verdict for each fragment asked for, all others with "True", as FActScore expects. Of
HTTP it knows what the clients here need: it is to cost as little as possible of the machine that it is measured on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time

_ASKED = re.compile(r"\nJudge the fragments ([\d, ]+)\.$")
_LABELS = ("correct", "incorrect", "unverifiable")


class Judge(asyncio.Protocol):
    """One connection. `done` counts for all of them."""

    done = under_way = most = 0

    def __init__(self, latency: float, spread: float, draw: random.Random) -> None:
        self._latency, self._spread, self._draw = latency, spread, draw
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request once it is whole; clients wait for the answer before they send the next."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self._received = b""
        Judge.under_way += 1
        Judge.most = max(Judge.most, Judge.under_way)
        # The answer is made at once: its time is a part of the latency.
        wait = self._latency + self._draw.uniform(-self._spread, self._spread)
        asyncio.get_running_loop().call_later(wait, self._answer, _reply(body))

    def _answer(self, reply: bytes) -> None:
        Judge.under_way -= 1
        Judge.done += 1
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(reply), reply)
        )


def _reply(body: bytes) -> bytes:
    message = json.loads(body)["messages"][-1]["content"]
    asked = _ASKED.search(message)
    if asked is None:
        text = "True"
    else:
        verdicts = [
            {"id": int(one), "evidence": "the article says so in its second section", "label": _LABELS[int(one) % 3]}
            for one in asked[1].split(",")
        ]
        text = json.dumps({"verdicts": verdicts})
    return json.dumps(
        {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": 0,
            "model": "judge",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
            ],
            "usage": {
                "prompt_tokens": len(body) // 4,
                "completion_tokens": len(text) // 4,
                "total_tokens": (len(body) + len(text)) // 4,
            },
        }
    ).encode()


async def _serve(latency: float, spread: float, seed: int) -> None:
    loop = asyncio.get_running_loop()
    draw = random.Random(seed)
    server = await loop.create_server(lambda: Judge(latency, spread, draw), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps({"calls": Judge.done, "at_once": Judge.most, "cpu_seconds": time.process_time()}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, required=True)
    parser.add_argument("--spread", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    asyncio.run(_serve(args.latency, args.spread, args.seed))
