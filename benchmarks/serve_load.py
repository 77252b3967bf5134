"""The load that `rlhalt serve` takes: 64 streams at once against the upstream alone, and memory over 10,000 requests.

    python benchmarks/serve_load.py

Three processes on loopback: an upstream that streams a token each 30 ms per response with log-probabilities (the rate
of a small model on a GPU), the server, and this client. Blocks of streams go to the upstream and to the server in turn,
so that other work on the machine slows both alike; then the same without a pause between tokens. What is printed, as
JSON lines:

- `first`: seconds to the first text. For the upstream that is its first token, and `first_fragment` the token with
  which the first fragment is final; the server can send nothing before that. `late` is by how much it was later.
- `cpu`: milliseconds of the server's process per token, which other work on the machine changes least.
- `throughput`: tokens per second of all streams, and the server's over the upstream's.
- `memory`: of the server's process in MiB, after each thousand of short requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

SENTENCES = (
    ("The capital of the country is the city of Oslo in the south.", -0.05),
    ("The currency of the country is the old and heavy silver coin.", -2.5),
    ("The country borders three others, all of them to the east of it.", -0.1),
    ("The country has about five and a half million people in all.", -0.2),
)
TOKENS = [
    (token, likely)
    for number, (text, likely) in enumerate(SENTENCES)
    for token in re.findall(r"\s?\w+|[.,]", (" " if number else "") + text)
]
N_FIRST = len(re.findall(r"\s?\w+|[.,]", SENTENCES[0][0])) + 1
HEADERS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n",
)


def event(delta: dict[str, str], finish: str | None, logprobs: Any) -> bytes:
    """An event in a chunk of HTTP."""
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    data = b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def events(asked: bool) -> list[bytes]:
    """A stream, an item for each token."""
    found = [event({"role": "assistant", "content": ""}, None, None)]
    for token, likely in TOKENS:
        row = {"token": token, "logprob": likely, "bytes": list(token.encode()), "top_logprobs": []}
        found.append(event({"content": token}, None, {"content": [row]} if asked else None))
    return [*found, event({}, "stop", None), b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"]


async def upstream(port: int) -> None:
    """Serve until killed."""
    ready = {asked: events(asked) for asked in (False, True)}

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = re.search(r"content-length: (\d+)", headers)
            body = json.loads(await reader.readexactly(int(length[1])) if length else b"{}")
            if line.startswith(b"GET"):
                reply = b'{"data":[{"id":"m"}]}'
                writer.write(HEADERS[1] + f"content-length: {len(reply)}\r\n\r\n".encode() + reply)
            elif not body.get("stream"):
                row = {"token": "Yes.", "logprob": -0.1, "bytes": None}
                choice = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
                choice["logprobs"] = {"content": [row]} if body.get("logprobs") else None
                reply = json.dumps({"id": "c", "choices": [choice]}).encode()
                writer.write(HEADERS[1] + f"content-length: {len(reply)}\r\n\r\n".encode() + reply)
            else:
                writer.write(HEADERS[0])
                pace, due = body.get("pace", 0.03), time.monotonic()
                for part in ready[bool(body.get("logprobs"))]:
                    writer.write(part)
                    due += pace
                    if pace:
                        await asyncio.sleep(max(0.0, due - time.monotonic()))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


def calibration(folder: Path) -> None:
    """Write one whose probabilities are the confidences."""
    none = {"value": None, "low": None, "high": None}
    probability = {"method": "platt", "slope": 1.0, "intercept": 0.0, "confidence": [], "probability": []}
    fit = {"temperature": 0.0, "probability": probability, "n_fragments": 30, "n_correct": 15, "accuracy_at": {}}
    fit |= {"ece_before": none, "ece_after": none, "auroc": none}
    whole = {"model": "m", "domain": "countries", "fragmenter": "sentences/2", "verifier": "knowledge/3"}
    whole |= {"by": "token_probability", "prompts": [], "few_shot": "", "template_args": {}, "max_tokens": 64}
    (folder / "calibration.json").write_text(json.dumps({**whole, "fits": [fit]}))


async def stream(session: aiohttp.ClientSession, address: str, pace: float) -> tuple[float, float, float]:
    """Seconds to the first text, to the token that ends the first fragment, and to the end."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0, "stream": True}
    begun, times = time.monotonic(), []
    async with session.post(f"{address}/chat/completions", json={**body, "pace": pace}) as reply:
        async for line in reply.content:
            if b'"content":"' in line and b'"content":""' not in line:
                times.append(time.monotonic() - begun)
    return times[0], times[min(N_FIRST, len(times)) - 1], time.monotonic() - begun


async def block(session: aiohttp.ClientSession, address: str, n: int, pace: float) -> dict[str, Any]:
    """So many streams at once."""
    begun = time.monotonic()
    found = await asyncio.gather(*(stream(session, address, pace) for _ in range(n)))
    firsts, fragments, _ = zip(*found, strict=True)
    return {"first": firsts, "fragment": fragments, "rate": n * len(TOKENS) / (time.monotonic() - begun)}


def mib(pid: int) -> float:
    """The memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def cpu(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(0.95 * (len(values) - 1))]


async def compare(
    session: aiohttp.ClientSession, alone: str, served: str, pid: int, args: argparse.Namespace, pace: float
) -> None:
    """Blocks against the upstream and the server in turn; the first of each warms up."""
    blocks: dict[str, list[dict[str, Any]]] = {alone: [], served: []}
    spent = cpu(pid)
    for _ in range(args.blocks + 1):
        for address, found in blocks.items():
            found.append(await block(session, address, args.streams, pace))
    spent = (cpu(pid) - spent) / (args.blocks + 1) / args.streams / len(TOKENS)
    ours, theirs = blocks[served][1:], blocks[alone][1:]
    first = [value for one in ours for value in one["first"]]
    final = [value for one in theirs for value in one["fragment"]]
    token = [value for one in theirs for value in one["first"]]
    late = [median(a["first"]) - median(b["fragment"]) for a, b in zip(ours, theirs, strict=True)]
    print(json.dumps({
        "pace": pace, "streams": args.streams, "blocks": args.blocks, "load": os.getloadavg()[0], "cpu": 1000 * spent,
        "first": {"upstream": median(token), "first_fragment": median(final), "served": median(first),
                  "served_p95": p95(first), "first_fragment_p95": p95(final), "late": median(late)},
        "throughput": {"upstream": median(one["rate"] for one in theirs), "served": median(one["rate"] for one in ours),
                       "ratio": median(a["rate"] / b["rate"] for a, b in zip(ours, theirs, strict=True))},
    }))  # fmt: skip


async def remember(session: aiohttp.ClientSession, served: str, pid: int, n: int) -> None:
    """Memory after each thousand of requests, half of them streams."""
    slots = asyncio.Semaphore(64)
    body = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0, "pace": 0}

    async def ask(number: int) -> None:
        async with slots, session.post(f"{served}/chat/completions", json={**body, "stream": number % 2 == 0}) as reply:
            assert reply.status == 200
            await reply.read()

    found = {0: mib(pid)}
    for done in range(1000, n + 1, 1000):
        await asyncio.gather(*map(ask, range(1000)))
        found[done] = mib(pid)
    print(json.dumps({"memory": {str(at): round(value, 1) for at, value in found.items()}}))


async def client(alone: str, served: str, pid: int, args: argparse.Namespace) -> None:
    """All that is measured."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await compare(session, alone, served, pid, args, 0.03)
        await compare(session, alone, served, pid, args, 0.0)
        await remember(session, served, pid, args.requests)


def main() -> None:
    """Start all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--requests", type=int, default=10_000)
    args = parser.parse_args()
    if args.upstream is not None:
        asyncio.run(upstream(args.upstream))
        return
    port = 18341
    alone = f"http://127.0.0.1:{port}/v1"
    source = subprocess.Popen([sys.executable, __file__, "--upstream", str(port)], stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as folder:
        calibration(Path(folder))
        assert source.stdout is not None
        source.stdout.readline()
        argv = [sys.executable, "-m", "rlhalt", "serve", "--upstream", alone, "--model", "m", "--calibration", folder]
        argv += ["--threshold", "0.5", "--port", "0"]
        server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            found = re.search(r"for clients (http://\S+/v1)", server.stdout.readline())
            assert found is not None
            asyncio.run(client(alone, found[1], server.pid, args))
        finally:
            server.kill()
            source.kill()


if __name__ == "__main__":
    main()
